namespace Granary.Contexts;

/// <summary>What <c>granary context show</c> prints (DESIGN §8).</summary>
[GenerateSerializer, Immutable, Alias("granary.context-description")]
public sealed record ContextDescription
{
    /// <summary>Gets the context's name.</summary>
    [Id(0)]
    public required string Context { get; init; }

    /// <summary>Gets the model id.</summary>
    [Id(1)]
    public required string Model { get; init; }

    /// <summary>Gets the manifest's state: <c>accepted</c> or <c>stored</c>.</summary>
    [Id(2)]
    public required string State { get; init; }

    /// <summary>Gets the version, 1 for a new context.</summary>
    [Id(3)]
    public required long Version { get; init; }

    /// <summary>Gets the number of tokens.</summary>
    [Id(4)]
    public required int Tokens { get; init; }

    /// <summary>Gets the number of pages.</summary>
    [Id(5)]
    public required int Pages { get; init; }

    /// <summary>Gets the bytes of its chunks in the store.</summary>
    [Id(6)]
    public required long StoredBytes { get; init; }

    /// <summary>Gets whether its pages are in device memory now.</summary>
    [Id(7)]
    public required bool Resident { get; init; }

    /// <summary>Gets when it was created.</summary>
    [Id(8)]
    public required DateTimeOffset Created { get; init; }

    /// <summary>Gets when it expires; <see langword="null"/> for never.</summary>
    [Id(9)]
    public DateTimeOffset? Expires { get; init; }

    /// <summary>Gets its labels.</summary>
    [Id(10)]
    public required Dictionary<string, string> Labels { get; init; }

    /// <summary>Gets the context it was forked from.</summary>
    [Id(11)]
    public string? Parent { get; init; }

    /// <summary>Gets how many leading ids were cut off at creation; 0 where none were.</summary>
    [Id(12)]
    public int TruncatedTokens { get; init; }

    /// <summary>Gets how long ago the version was checked, where the store did not answer; otherwise <see langword="null"/>, and less than a second.</summary>
    [Id(13)]
    public double? VersionAgeSeconds { get; init; }

    /// <summary>Gets until when it is pinned; <see langword="null"/> where it is not, and the last instant that there is for a pin without end.</summary>
    [Id(14)]
    public DateTimeOffset? PinnedUntil { get; init; }

    /// <summary>Gets the time to live that a hit starts anew; <see langword="null"/> where hits leave the expiry alone.</summary>
    [Id(15)]
    public TimeSpan? TimeToLive { get; init; }
}
