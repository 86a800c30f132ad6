using Granary.Stores;

namespace Granary.Cli.Documents;

/// <summary>What <c>store check</c> prints.</summary>
internal sealed record StoreCheckDocument(int Contexts, int Chunks, long ChunkBytes, int FaultCount, int RepairedCount, IReadOnlyList<StoreFaultDescription> Faults)
{
    /// <summary>Makes the document of a check.</summary>
    /// <param name="found">What it found.</param>
    /// <returns>The document.</returns>
    public static StoreCheckDocument Of(StoreCheckResult found) => new(found.Contexts, found.Chunks, found.ChunkBytes, found.FaultCount, found.RepairedCount, found.Faults);
}

/// <summary>What <c>store usage</c> prints.</summary>
internal sealed record StoreUsageDocument(
    int Contexts, int Expired, int Tombstones, int Chunks, long ChunkBytes, int UnreferencedChunks, long UnreferencedBytes, IReadOnlyList<string> Unreadable,
    int TokenBlobs, long TokenBlobBytes, int UnreferencedTokenBlobs, long UnreferencedTokenBlobBytes)
{
    /// <summary>Makes the document of a sweep that changed nothing.</summary>
    /// <param name="found">What it found.</param>
    /// <returns>The document.</returns>
    public static StoreUsageDocument Of(StoreSweepResult found) => new(
        found.Contexts, found.Expired, found.Tombstones, found.Chunks, found.ChunkBytes, found.UnreferencedChunks, found.UnreferencedBytes, found.Unreadable,
        found.TokenBlobs, found.TokenBlobBytes, found.UnreferencedTokenBlobs, found.UnreferencedTokenBlobBytes);
}

/// <summary>What <c>store gc</c> prints.</summary>
internal sealed record StoreSweepDocument(
    bool DryRun, int Contexts, int Expired, int Tombstones, int Chunks, long ChunkBytes, int DeletedChunks, long DeletedBytes, IReadOnlyList<string> Unreadable,
    int TokenBlobs, long TokenBlobBytes, int DeletedTokenBlobs, long DeletedTokenBlobBytes)
{
    /// <summary>Makes the document of a sweep.</summary>
    /// <param name="found">What it found and did.</param>
    /// <param name="dryRun">Whether nothing was changed.</param>
    /// <returns>The document.</returns>
    public static StoreSweepDocument Of(StoreSweepResult found, bool dryRun) => new(
        dryRun, found.Contexts, found.Expired, found.Tombstones, found.Chunks, found.ChunkBytes, found.DeletedChunks, found.DeletedBytes, found.Unreadable,
        found.TokenBlobs, found.TokenBlobBytes, found.DeletedTokenBlobs, found.DeletedTokenBlobBytes);
}
