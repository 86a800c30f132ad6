namespace Granary.Contexts;

/// <summary>How long a context is pinned: exempt from eviction where it is resident, but not from its expiry.</summary>
[GenerateSerializer, Immutable, Alias("granary.context-pin")]
public sealed record ContextPin
{
    /// <summary>Gets the pin that only an unpin ends.</summary>
    public static ContextPin Endless { get; } = new();

    /// <summary>Gets how long, from now on.</summary>
    /// <value>Above zero. Default: <see langword="null"/>; without <see cref="Until"/>, either, the pin has no end.</value>
    [Id(0)]
    public TimeSpan? Duration { get; init; }

    /// <summary>Gets until when, an instant to come.</summary>
    /// <value>Default: <see langword="null"/>.</value>
    [Id(1)]
    public DateTimeOffset? Until { get; init; }
}
