using Granary.Storage.Objects;

namespace Granary.Storage.Chunks;

/// <summary>What reading a chunk came to.</summary>
/// <param name="Fault">Why the bytes must not be used; <see langword="null"/> where all was as expected.</param>
/// <param name="Version">The version that was read, which a repair replaces; <see langword="null"/> where there is no chunk, or it was cut while it was read.</param>
public sealed record ChunkRead(ChunkFault? Fault, ObjectVersion? Version);
