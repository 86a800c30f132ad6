using Granary.Inference.Pages;

namespace Granary.Inference.Engine;

/// <summary>A forward pass over given tokens, for <c>granary model forward</c>.</summary>
public sealed record ForwardRequest
{
    /// <summary>Gets the tokens.</summary>
    public required int[] TokenIds { get; init; }

    /// <summary>Gets how many tokens are prefilled as pages; the rest runs over their cache.</summary>
    /// <value>1 to one less than the tokens. Default: <see langword="null"/>, all are pages.</value>
    public int? Split { get; init; }

    /// <summary>Gets how many zero rows are put in front of the prefilled cache, masked.</summary>
    /// <value>Default: 0. Above 0 only with <see cref="Split"/>.</value>
    public int LeftPad { get; init; }

    /// <summary>Gets whether the rest's rotary positions continue the tokens'; otherwise they continue the padded length.</summary>
    /// <value>Default: <see langword="true"/>.</value>
    public bool PositionIds { get; init; } = true;
}

/// <summary>What a forward pass gave, as raw row-major elements, little endian.</summary>
/// <param name="Dtype">The elements.</param>
/// <param name="Logits">The logits, of all tokens or of those behind the split.</param>
/// <param name="LogitsShape">[tokens, vocab].</param>
/// <param name="Kv">The KV of all tokens, padding left out.</param>
/// <param name="KvShape">[layers, 2, 1, kv_heads, tokens, head_dim].</param>
public sealed record ForwardResult(KvDtype Dtype, byte[] Logits, long[] LogitsShape, byte[] Kv, long[] KvShape);
