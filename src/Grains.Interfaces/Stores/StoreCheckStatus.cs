namespace Granary.Stores;

/// <summary>How far a check is.</summary>
/// <param name="Done">Objects checked.</param>
/// <param name="Total">Objects that there were at its start.</param>
/// <param name="Result">What it found; in the last element only.</param>
[GenerateSerializer, Immutable, Alias("granary.store-check-status")]
public sealed record StoreCheckStatus([property: Id(0)] int Done, [property: Id(1)] int Total, [property: Id(2)] StoreCheckResult? Result = null);

/// <summary>What a check found.</summary>
/// <param name="Contexts">Live contexts.</param>
/// <param name="Chunks">Chunks, bad ones too.</param>
/// <param name="ChunkBytes">Their bytes.</param>
/// <param name="FaultCount">Objects that cannot be trusted.</param>
/// <param name="RepairedCount">Those of them that were taken away.</param>
/// <param name="Faults">The first of them by key, at most <see cref="MostFaults"/>.</param>
[GenerateSerializer, Immutable, Alias("granary.store-check-result")]
public sealed record StoreCheckResult(
    [property: Id(0)] int Contexts,
    [property: Id(1)] int Chunks,
    [property: Id(2)] long ChunkBytes,
    [property: Id(3)] int FaultCount,
    [property: Id(4)] int RepairedCount,
    [property: Id(5)] StoreFaultDescription[] Faults)
{
    /// <summary>The most faults that one result names.</summary>
    public const int MostFaults = 1000;
}

/// <summary>An object that cannot be trusted.</summary>
/// <param name="Key">Its key in the store.</param>
/// <param name="Kind"><c>chunk</c>, <c>manifest</c>, <c>tokens</c> (a blob of token ids), <c>dataset</c> (a part of one), <c>state</c> (a grain's), <c>model</c> or <c>tenant</c>.</param>
/// <param name="Reason">Of a chunk <c>absent</c>, <c>length</c>, <c>header</c>, <c>tokens</c> or <c>checksum</c>; otherwise what is wrong, in words.</param>
/// <param name="Context">A context that misses it, <c>{model}/{name}</c>; <see langword="null"/> where none is known to.</param>
/// <param name="Repaired">Whether it was taken away, so that the next use computes it anew.</param>
[GenerateSerializer, Immutable, Alias("granary.store-fault")]
public sealed record StoreFaultDescription(
    [property: Id(0)] string Key,
    [property: Id(1)] string Kind,
    [property: Id(2)] string Reason,
    [property: Id(3)] string? Context,
    [property: Id(4)] bool Repaired);
