namespace Granary.Storage.Maintenance;

/// <summary>An object of the store that cannot be trusted.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Kind"><c>chunk</c>, <c>manifest</c>, <c>tokens</c> (a blob of token ids), <c>dataset</c> (a part of one), <c>state</c> (a grain's), <c>model</c> or <c>tenant</c>.</param>
/// <param name="Reason">Of a chunk, the reason that its reader would count: <c>absent</c>, <c>length</c>, <c>header</c>, <c>tokens</c>, <c>checksum</c>; otherwise what is wrong, in words.</param>
/// <param name="Context">The context that misses it, <c>{model}/{name}</c>; <see langword="null"/> where that is not known, or none does.</param>
/// <param name="Repaired">Whether it was taken away, so that the next use computes it anew.</param>
public sealed record StoreFault(string Key, string Kind, string Reason, string? Context, bool Repaired);

/// <summary>How far a check is.</summary>
/// <param name="Done">Objects checked.</param>
/// <param name="Total">Objects that there were at its start.</param>
public sealed record StoreCheckProgress(int Done, int Total);

/// <summary>What a check found.</summary>
/// <param name="Contexts">Manifests of live contexts.</param>
/// <param name="Chunks">Chunks, bad ones too.</param>
/// <param name="ChunkBytes">Their bytes.</param>
/// <param name="Faults">What cannot be trusted, ordered by key.</param>
public sealed record StoreCheckReport(int Contexts, int Chunks, long ChunkBytes, IReadOnlyList<StoreFault> Faults);
