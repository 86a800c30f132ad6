namespace Granary.Grains.Placement;

/// <summary>Reads a context grain's key without checking its names, as placement must.</summary>
internal static class ContextKey
{
    /// <summary>Gets the tenant of <c>{tenant}/{model}/{name}</c>.</summary>
    public static string TenantOf(string key) => key[..Math.Max(0, key.IndexOf('/', StringComparison.Ordinal))];

    /// <summary>Gets the model of <c>{tenant}/{model}/{name}</c>.</summary>
    public static string ModelOf(string key)
    {
        var start = key.IndexOf('/', StringComparison.Ordinal) + 1;
        var end = key.IndexOf('/', start);
        return end > start ? key[start..end] : "";
    }
}
