using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Granary.Inference.Models;

/// <summary>The weights of one GPT-NeoX layer.</summary>
internal sealed class GptNeoXLayer : IDisposable
{
    public GptNeoXLayer(WeightLoader weights, int layer, bool attentionBias)
    {
        var prefix = $"gpt_neox.layers.{layer}.";
        AttentionNorm = new Affine(weights, prefix + "input_layernorm");
        FeedForwardNorm = new Affine(weights, prefix + "post_attention_layernorm");
        QueryKeyValue = new Affine(weights, prefix + "attention.query_key_value", attentionBias);
        AttentionOut = new Affine(weights, prefix + "attention.dense", attentionBias);
        Up = new Affine(weights, prefix + "mlp.dense_h_to_4h");
        Down = new Affine(weights, prefix + "mlp.dense_4h_to_h");
    }

    public Affine AttentionNorm { get; }

    public Affine FeedForwardNorm { get; }

    /// <summary>Gets the fused projection; its rows are interleaved [heads][q, k, v][head_dim].</summary>
    public Affine QueryKeyValue { get; }

    public Affine AttentionOut { get; }

    public Affine Up { get; }

    public Affine Down { get; }

    public void Dispose()
    {
        AttentionNorm.Dispose();
        FeedForwardNorm.Dispose();
        QueryKeyValue.Dispose();
        AttentionOut.Dispose();
        Up.Dispose();
        Down.Dispose();
    }
}

/// <summary>A weight with its bias, where there is one.</summary>
internal sealed class Affine(WeightLoader weights, string name, bool hasBias = true) : IDisposable
{
    /// <summary>Gets the weight, [out, in] or [hidden].</summary>
    public Tensor Weight { get; } = weights.Get(name + ".weight");

    /// <summary>Gets the bias, [out] or [hidden].</summary>
    public Tensor? Bias { get; } = hasBias ? weights.Get(name + ".bias") : null;

    /// <summary>Multiplies rows.</summary>
    /// <param name="input">[padded_rows, in].</param>
    /// <returns>[padded_rows, out]; the caller's.</returns>
    public Tensor Apply(Tensor input) => linear(input, Weight, Bias);

    /// <summary>Normalizes rows.</summary>
    /// <param name="input">[rows, hidden].</param>
    /// <param name="epsilon">The epsilon.</param>
    /// <returns>[rows, hidden]; the caller's.</returns>
    public Tensor Normalize(Tensor input, double epsilon) => layer_norm(input, Weight.shape, Weight, Bias, epsilon);

    public void Dispose()
    {
        Weight.Dispose();
        Bias?.Dispose();
    }
}
