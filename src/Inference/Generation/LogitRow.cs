using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Granary.Inference.Engine;

namespace Granary.Inference.Generation;

/// <summary>A row of logits in the type that the model computed it in: float32 (float32 and bfloat16 models) or float64. Borrowed, never copied.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly ref struct LogitRow
{
    /// <summary>Wraps a row.</summary>
    /// <param name="logits">[vocab].</param>
    public LogitRow(ReadOnlySpan<float> logits) => Singles = logits;

    /// <summary>Wraps a row.</summary>
    /// <param name="logits">[vocab].</param>
    public LogitRow(ReadOnlySpan<double> logits)
    {
        Doubles = logits;
        IsDouble = true;
    }

    /// <summary>Gets whether the row is <see cref="Doubles"/>.</summary>
    public bool IsDouble { get; }

    /// <summary>Gets the row in float32: [vocab]; empty where <see cref="IsDouble"/>.</summary>
    public ReadOnlySpan<float> Singles { get; }

    /// <summary>Gets the row in float64: [vocab]; empty unless <see cref="IsDouble"/>.</summary>
    public ReadOnlySpan<double> Doubles { get; }

    /// <summary>Gets the size of the vocabulary.</summary>
    public int Length => IsDouble ? Doubles.Length : Singles.Length;

    /// <summary>Gets a token's logit, exactly.</summary>
    /// <param name="id">The token.</param>
    public double this[int id] => IsDouble ? Doubles[id] : Singles[id];

    /// <summary>Refuses NaN and infinity.</summary>
    /// <param name="position">The absolute position of the row's token, for the message.</param>
    /// <exception cref="Errors.InferenceException"><c>NonFiniteLogits</c>.</exception>
    public void CheckFinite(long position)
    {
        if (!(IsDouble ? TensorPrimitives.IsFiniteAll(Doubles) : TensorPrimitives.IsFiniteAll(Singles)))
        {
            throw EngineErrors.NonFinite(position);
        }
    }
}
