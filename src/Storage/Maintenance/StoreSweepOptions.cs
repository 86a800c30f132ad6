namespace Granary.Storage.Maintenance;

/// <summary>How a sweep is done.</summary>
/// <param name="Grace">
/// How old a chunk or token blob that nobody names, or a tombstone, must be to be deleted: longer than any creation takes from its first chunk to its manifest, since until then nobody names its chunks.
/// </param>
/// <param name="DryRun">Whether nothing is changed and it is only told what would be.</param>
/// <param name="MostDeletesPerSecond">Deletes a second, at most; a store has others to serve.</param>
public sealed record StoreSweepOptions(TimeSpan Grace, bool DryRun, int MostDeletesPerSecond)
{
    /// <summary>The grace of a sweep that is given none.</summary>
    public static readonly TimeSpan DefaultGrace = TimeSpan.FromDays(1);

    /// <summary>The deletes a second of a sweep that is given none.</summary>
    public const int DefaultDeletesPerSecond = 100;
}

/// <summary>How far a sweep is.</summary>
/// <param name="Done">Manifests read, chunks and token blobs decided on.</param>
/// <param name="Total">All of them.</param>
public sealed record StoreSweepProgress(int Done, int Total);

/// <summary>What a sweep found and did; in a dry run, what it would have done.</summary>
/// <param name="Contexts">Live contexts.</param>
/// <param name="Expired">Contexts whose time was over, and which have become tombstones.</param>
/// <param name="Tombstones">Tombstones that were old enough, and have gone.</param>
/// <param name="Chunks">Chunks that were there.</param>
/// <param name="ChunkBytes">Their bytes.</param>
/// <param name="UnreferencedChunks">Chunks that no live context names, young ones too.</param>
/// <param name="UnreferencedBytes">Their bytes.</param>
/// <param name="DeletedChunks">Those that were old enough, and have gone.</param>
/// <param name="DeletedBytes">Their bytes.</param>
/// <param name="Unreadable">Keys of manifests that cannot be trusted. While there are any, no chunk or token blob is deleted: it might be theirs.</param>
public sealed record StoreSweepReport(
    int Contexts,
    int Expired,
    int Tombstones,
    int Chunks,
    long ChunkBytes,
    int UnreferencedChunks,
    long UnreferencedBytes,
    int DeletedChunks,
    long DeletedBytes,
    IReadOnlyList<string> Unreadable)
{
    /// <summary>Gets the token blobs that were there.</summary>
    public int TokenBlobs { get; init; }

    /// <summary>Gets their bytes.</summary>
    public long TokenBlobBytes { get; init; }

    /// <summary>Gets the token blobs that no live context names, young ones too.</summary>
    public int UnreferencedTokenBlobs { get; init; }

    /// <summary>Gets their bytes.</summary>
    public long UnreferencedTokenBlobBytes { get; init; }

    /// <summary>Gets those that were old enough, and have gone.</summary>
    public int DeletedTokenBlobs { get; init; }

    /// <summary>Gets their bytes.</summary>
    public long DeletedTokenBlobBytes { get; init; }
}
