using Granary.Inference.Pages;
using Granary.Storage.Chunks;

namespace Granary.Bench.Storage;

/// <summary>A context's pages in memory, of random bytes, and the names under which they are stored.</summary>
internal sealed class SamplePages
{
    /// <summary>The tokens whose KV is saved and loaded.</summary>
    public const int Tokens = 2048;

    private const int Seed = 1;
    private static readonly string Fingerprint = new('0', 64);
    private static readonly string Numerics = new('0', 32);
    private readonly KvLayout _layout;
    private readonly int[] _tokenIds = [.. Enumerable.Range(0, Tokens)];
    private int _salt;

    public SamplePages(KvLayout layout)
    {
        _layout = layout;
        Kv = [.. Enumerable.Range(0, Tokens / layout.PageSize).Select(_ => new byte[layout.PageSize * layout.BytesPerToken])];
        var random = new Random(Seed);
        Array.ForEach(Kv, random.NextBytes); // neither a checksum nor a disk sees zeros
        Plain = [.. NameAnew().Select(chunk => new byte[ChunkStore.StoredBytes(chunk)])];
        Array.ForEach(Plain, random.NextBytes); // touched, so that no read pays for fresh memory
    }

    /// <summary>Gets the pages' KV: what is saved, and where it is loaded to.</summary>
    public byte[][] Kv { get; }

    /// <summary>Gets as many bytes as each chunk has, for plain files.</summary>
    public byte[][] Plain { get; }

    /// <summary>Gets the bytes of all chunks: KV, token ids and headers.</summary>
    public long StoredBytes => Plain.Sum(static page => (long)page.Length);

    /// <summary>Names the pages as no one has before: what is written under these names is new.</summary>
    public ChunkIdentity[] NameAnew()
    {
        var shape = new ChunkShape(_layout.Layers, _layout.KvHeads, _layout.HeadDim, _layout.Dtype.Name());
        return ChunkChain.Of(BitConverter.GetBytes(_salt++), Fingerprint, Numerics, _tokenIds, _layout.PageSize, "shared", shape);
    }
}
