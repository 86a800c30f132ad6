namespace Granary.Grains.Contexts;

/// <summary>What one grain call may carry, far below the 100 MiB at which Orleans drops the connection.</summary>
internal static class RequestLimits
{
    /// <summary>The most characters of a text.</summary>
    public const int MostCharacters = 4 << 20;
}
