namespace Granary.Stores;

/// <summary>How a sweep is done.</summary>
/// <param name="DryRun">Whether nothing is changed.</param>
/// <param name="Grace">How old a chunk or token blob that no context names, or a tombstone, must be to be deleted; <see langword="null"/> for a day. Longer than any creation takes.</param>
/// <param name="MostDeletesPerSecond">Deletes a second; <see langword="null"/> for 100.</param>
[GenerateSerializer, Immutable, Alias("granary.store-sweep-request")]
public sealed record StoreSweepRequest([property: Id(0)] bool DryRun, [property: Id(1)] TimeSpan? Grace = null, [property: Id(2)] int? MostDeletesPerSecond = null);

/// <summary>How far a sweep is.</summary>
/// <param name="Done">Manifests read, chunks and token blobs decided on.</param>
/// <param name="Total">All of them.</param>
/// <param name="Result">What it found and did; in the last element only.</param>
[GenerateSerializer, Immutable, Alias("granary.store-sweep-status")]
public sealed record StoreSweepStatus([property: Id(0)] int Done, [property: Id(1)] int Total, [property: Id(2)] StoreSweepResult? Result = null);

/// <summary>What a sweep found and did; in a dry run, what it would have done.</summary>
[GenerateSerializer, Immutable, Alias("granary.store-sweep-result")]
public sealed record StoreSweepResult
{
    /// <summary>Gets the live contexts.</summary>
    [Id(0)]
    public required int Contexts { get; init; }

    /// <summary>Gets the contexts whose time was over.</summary>
    [Id(1)]
    public required int Expired { get; init; }

    /// <summary>Gets the tombstones that have gone.</summary>
    [Id(2)]
    public required int Tombstones { get; init; }

    /// <summary>Gets the chunks that were there.</summary>
    [Id(3)]
    public required int Chunks { get; init; }

    /// <summary>Gets their bytes.</summary>
    [Id(4)]
    public required long ChunkBytes { get; init; }

    /// <summary>Gets the chunks that no live context names, young ones too.</summary>
    [Id(5)]
    public required int UnreferencedChunks { get; init; }

    /// <summary>Gets their bytes.</summary>
    [Id(6)]
    public required long UnreferencedBytes { get; init; }

    /// <summary>Gets the chunks that have gone.</summary>
    [Id(7)]
    public required int DeletedChunks { get; init; }

    /// <summary>Gets their bytes.</summary>
    [Id(8)]
    public required long DeletedBytes { get; init; }

    /// <summary>Gets the keys of manifests that cannot be trusted, at most 1,000. While there are any, no chunk or token blob is deleted: it might be theirs.</summary>
    [Id(9)]
    public required string[] Unreadable { get; init; }

    /// <summary>Gets the token blobs that were there: the ids of long contexts.</summary>
    [Id(10)]
    public int TokenBlobs { get; init; }

    /// <summary>Gets their bytes.</summary>
    [Id(11)]
    public long TokenBlobBytes { get; init; }

    /// <summary>Gets the token blobs that no live context names, young ones too.</summary>
    [Id(12)]
    public int UnreferencedTokenBlobs { get; init; }

    /// <summary>Gets their bytes.</summary>
    [Id(13)]
    public long UnreferencedTokenBlobBytes { get; init; }

    /// <summary>Gets the token blobs that have gone.</summary>
    [Id(14)]
    public int DeletedTokenBlobs { get; init; }

    /// <summary>Gets their bytes.</summary>
    [Id(15)]
    public long DeletedTokenBlobBytes { get; init; }
}
