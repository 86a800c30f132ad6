namespace Granary.Storage.Chunks;

/// <summary>What writing a chunk came to.</summary>
/// <param name="Bytes">The stored bytes: header and data.</param>
/// <param name="Checksum">XxHash128 of the stored data, 32 hexadecimal digits, for the manifest. Within inexact numerics it may be another than that of the KV given, where the chunk existed.</param>
/// <param name="Existed">Whether the chunk was found present, and touched, instead of written.</param>
public sealed record ChunkWrite(long Bytes, string Checksum, bool Existed);
