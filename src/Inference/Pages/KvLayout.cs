using Granary.Inference.Checkpoints;

namespace Granary.Inference.Pages;

/// <summary>How the KV of a model lies in memory and in a chunk: for each layer keys, then values, each <c>[kv_heads, tokens, head_dim]</c>, row-major.</summary>
/// <param name="Layers">Layers.</param>
/// <param name="KvHeads">Key and value heads.</param>
/// <param name="HeadDim">Channels of a head.</param>
/// <param name="Dtype">The element.</param>
/// <param name="PageSize">Tokens of a full page.</param>
/// <param name="Codec">What a page goes through before it is read or stored.</param>
public sealed record KvLayout(int Layers, int KvHeads, int HeadDim, KvDtype Dtype, int PageSize, KvCodec Codec = KvCodec.None)
{
    /// <summary>Gets the page size that is used unless a model's settings say otherwise.</summary>
    public const int DefaultPageSize = 256;

    /// <summary>Gets the KV bytes of one token: <c>2 · layers · kv_heads · head_dim · element</c>.</summary>
    public long BytesPerToken => 2L * Layers * KvHeads * HeadDim * Dtype.Bytes();

    /// <summary>Gets what a chunk's numbers are.</summary>
    public KvDtype StoredDtype => Codec.StoredDtype(Dtype) ?? throw new InvalidOperationException($"The codec {Codec.Name()} is not for KV in {Dtype.Name()}.");

    /// <summary>Gets the stored KV bytes of one token.</summary>
    public long StoredBytesPerToken => BytesPerToken / Dtype.Bytes() * StoredDtype.Bytes();

    /// <summary>Gets how many KV bytes tokens have: what admission reserves, what a page allocates, and what sizes and estimates state.</summary>
    /// <param name="tokens">Tokens; 0 or more.</param>
    /// <returns>Bytes.</returns>
    public long BytesOf(long tokens) => BytesPerToken * tokens;

    /// <summary>Gets how many KV bytes tokens have in chunks, without headers.</summary>
    /// <param name="tokens">Tokens; 0 or more.</param>
    /// <returns>Bytes.</returns>
    public long StoredBytesOf(long tokens) => StoredBytesPerToken * tokens;

    /// <summary>Gets the layout of a model.</summary>
    /// <param name="config">The model.</param>
    /// <param name="dtype">What its KV is held in.</param>
    /// <param name="pageSize">Tokens of a full page.</param>
    /// <param name="codec">What a page goes through before it is read or stored.</param>
    /// <returns>The layout.</returns>
    public static KvLayout Of(ModelConfig config, KvDtype dtype, int pageSize = DefaultPageSize, KvCodec codec = KvCodec.None) =>
        new(config.Layers, config.KvHeads, config.HeadDim, dtype, pageSize, codec);
}
