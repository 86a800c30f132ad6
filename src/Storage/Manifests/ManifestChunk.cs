namespace Granary.Storage.Manifests;

/// <summary>A chunk as a manifest names it.</summary>
/// <param name="Hash">Its link of the hash chain, 64 hexadecimal digits.</param>
/// <param name="Count">Its tokens.</param>
/// <param name="Bytes">Its stored bytes.</param>
/// <param name="Checksum">XxHash128 of its data, 32 hexadecimal digits; <see langword="null"/> while it is only expected.</param>
public sealed record ManifestChunk(string Hash, int Count, long Bytes, string? Checksum = null);
