namespace Granary.Contexts;

/// <summary>When a context expires: after a time to live, at an instant, or never.</summary>
/// <remarks>It replaces what was set before. An expired context is gone for all verbs at once; the next sweep deletes it.</remarks>
[GenerateSerializer, Immutable, Alias("granary.context-expiry")]
public sealed record ContextExpiry
{
    /// <summary>Gets the expiry that never comes.</summary>
    public static ContextExpiry Never { get; } = new();

    /// <summary>Gets the expiry that is now.</summary>
    public static ContextExpiry Now { get; } = new() { TimeToLive = TimeSpan.Zero };

    /// <summary>Gets the time to live, from now on.</summary>
    /// <value>Zero for at once. Default: <see langword="null"/>; without <see cref="Expires"/>, either, the context never expires.</value>
    [Id(0)]
    public TimeSpan? TimeToLive { get; init; }

    /// <summary>Gets the instant, which must be to come.</summary>
    /// <value>Default: <see langword="null"/>.</value>
    [Id(1)]
    public DateTimeOffset? Expires { get; init; }

    /// <summary>Gets whether a hit (an ask, a score, an addition, a warm-up) starts <see cref="TimeToLive"/> anew.</summary>
    /// <value>Default: <see langword="false"/>.</value>
    /// <remarks>The new expiry is committed beside the hit, at most once in a tenth of the time to live.</remarks>
    [Id(2)]
    public bool RefreshOnHit { get; init; }
}
