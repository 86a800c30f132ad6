using System.Globalization;
using Granary.Storage.Errors;

namespace Granary.Storage.Chunks;

/// <summary>What a model's pages look like: for each layer keys, then values, each <c>[kv_heads, tokens, head_dim]</c>.</summary>
/// <param name="Layers">Layers.</param>
/// <param name="KvHeads">Key and value heads.</param>
/// <param name="HeadDim">Channels of a head.</param>
/// <param name="Dtype"><c>float32</c>, <c>bfloat16</c> or <c>float64</c>.</param>
public sealed record ChunkShape(int Layers, int KvHeads, int HeadDim, string Dtype)
{
    /// <summary>Gets the dtype as safetensors names it.</summary>
    /// <exception cref="StorageException"><c>InvalidArgument</c>: the dtype is none of the three; name one.</exception>
    internal string SafetensorsDtype => Dtype switch { "float32" => "F32", "bfloat16" => "BF16", "float64" => "F64", _ => throw UnknownDtype() };

    /// <summary>Gets the bytes of one number.</summary>
    internal int ElementBytes => Dtype switch { "float32" => 4, "bfloat16" => 2, "float64" => 8, _ => throw UnknownDtype() };

    /// <summary>Gets the dtype that safetensors names so, or <see langword="null"/> where it is none of a chunk's.</summary>
    internal static string? DtypeOf(string? safetensorsDtype) => safetensorsDtype switch { "F32" => "float32", "BF16" => "bfloat16", "F64" => "float64", _ => null };

    /// <summary>Gets the KV bytes of a page.</summary>
    /// <param name="tokens">Its tokens.</param>
    /// <returns>Bytes.</returns>
    public long KvBytes(int tokens) => 2L * Layers * TensorBytes(tokens);

    /// <summary>Gets the bytes of one tensor: one layer's keys, or its values.</summary>
    internal long TensorBytes(int tokens) => checked((long)KvHeads * tokens * HeadDim * ElementBytes);

    private StorageException UnknownDtype() => new(
        StorageErrorCodes.InvalidArgument,
        string.Create(CultureInfo.InvariantCulture, $"'{Dtype}' is no dtype of a chunk."),
        "Use float32, bfloat16 or float64.");
}
