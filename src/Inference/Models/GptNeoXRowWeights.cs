using Granary.Inference.Kernels;
using Granary.Inference.Tensors;
using static TorchSharp.torch;

namespace Granary.Inference.Models;

/// <summary>The addresses of GPT-NeoX's weights: the matrices where libtorch has them, norms and biases once more as float32.</summary>
/// <remarks>Valid while the tensors that it was made from live.</remarks>
internal sealed unsafe class GptNeoXRowWeights : IDisposable
{
    private readonly List<NativeRows> _owned = [];

    public GptNeoXRowWeights(Tensor embedding, Tensor head, Affine finalNorm, IReadOnlyList<GptNeoXLayer> layers, RotaryTable rotary)
    {
        try
        {
            Embedding = (byte*)NativeTensor.AddressOf(embedding);
            Head = (byte*)NativeTensor.AddressOf(head);
            FinalNormScale = Copy(finalNorm.Weight);
            FinalNormBias = Copy(finalNorm.Bias);
            Layers = [.. layers.Select(Layer)];
            var (cos, sin) = rotary.HalfTables(); // [window, rotary/2]
            using (cos)
            using (sin)
            {
                Cos = Copy(cos);
                Sin = Copy(sin);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public byte* Embedding { get; }

    public byte* Head { get; }

    public float* FinalNormScale { get; }

    public float* FinalNormBias { get; }

    public GptNeoXRowLayer[] Layers { get; }

    /// <summary>Gets [window, rotary/2].</summary>
    public float* Cos { get; }

    /// <summary>Gets [window, rotary/2].</summary>
    public float* Sin { get; }

    /// <summary>Gets the bytes of the float32 copies.</summary>
    public long Bytes => _owned.Sum(rows => rows.Bytes);

    public void Dispose()
    {
        foreach (var rows in _owned)
        {
            rows.Dispose();
        }
    }

    private GptNeoXRowLayer Layer(GptNeoXLayer layer) => new()
    {
        AttentionNormScale = Copy(layer.AttentionNorm.Weight),
        AttentionNormBias = Copy(layer.AttentionNorm.Bias),
        FeedForwardNormScale = Copy(layer.FeedForwardNorm.Weight),
        FeedForwardNormBias = Copy(layer.FeedForwardNorm.Bias),
        QueryKeyValue = (byte*)NativeTensor.AddressOf(layer.QueryKeyValue.Weight),
        QueryKeyValueBias = Copy(layer.QueryKeyValue.Bias),
        AttentionOut = (byte*)NativeTensor.AddressOf(layer.AttentionOut.Weight),
        AttentionOutBias = Copy(layer.AttentionOut.Bias),
        Up = (byte*)NativeTensor.AddressOf(layer.Up.Weight),
        UpBias = Copy(layer.Up.Bias),
        Down = (byte*)NativeTensor.AddressOf(layer.Down.Weight),
        DownBias = Copy(layer.Down.Bias),
    };

    private float* Copy(Tensor? values)
    {
        if (values is null)
        {
            return null;
        }

        var rows = new NativeRows(values.numel());
        _owned.Add(rows);
        using var single = values.to(ScalarType.Float32, copy: true);   // [numel]
        using var contiguous = single.contiguous();                     // [numel]
        contiguous.bytes.CopyTo(new Span<byte>(rows.Address, checked((int)rows.Bytes)));
        return rows.Address;
    }
}

/// <summary>One layer's weights: matrices [out, in] in stored elements, the rest float32.</summary>
internal sealed unsafe class GptNeoXRowLayer
{
    public float* AttentionNormScale { get; init; }

    public float* AttentionNormBias { get; init; }

    public float* FeedForwardNormScale { get; init; }

    public float* FeedForwardNormBias { get; init; }

    /// <summary>Gets the fused projection; its rows are interleaved [heads][q, k, v][head_dim].</summary>
    public byte* QueryKeyValue { get; init; }

    public float* QueryKeyValueBias { get; init; }

    public byte* AttentionOut { get; init; }

    public float* AttentionOutBias { get; init; }

    public byte* Up { get; init; }

    public float* UpBias { get; init; }

    public byte* Down { get; init; }

    public float* DownBias { get; init; }
}
