using Granary.Storage.Chunks;
using Granary.Storage.Tests.Objects;

namespace Granary.Storage.Tests.Chunks;

/// <summary>Small pages for tests.</summary>
internal static class Pages
{
    public const string Fingerprint = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    public const string Numerics = "abcdef0123456789";

    public static byte[] Salt { get; } = Bytes.Random(7, 32);

    public static ChunkShape Shape { get; } = new(2, 3, 4, "float32");

    public static ChunkIdentity[] Of(int tokens, int pageSize = 8, string tenant = "acme", ChunkShape? shape = null) =>
        ChunkChain.Of(Salt, Fingerprint, Numerics, Enumerable.Range(100, tokens).ToArray(), pageSize, tenant, shape ?? Shape);

    public static byte[] Kv(ChunkIdentity identity, int seed = 1) => Bytes.Random(seed, (int)identity.KvBytes);
}
