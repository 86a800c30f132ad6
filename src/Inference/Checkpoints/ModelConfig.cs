namespace Granary.Inference.Checkpoints;

/// <summary>What a forward pass depends on beside the weights, read from a Hugging Face <c>config.json</c>.</summary>
public sealed record ModelConfig
{
    /// <summary>Gets the architecture, as <c>model_type</c> has it.</summary>
    public required string ModelType { get; init; }

    /// <summary>Gets the number of layers.</summary>
    public required int Layers { get; init; }

    /// <summary>Gets the width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Gets the number of query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Gets the number of key and value heads; equal to <see cref="Heads"/> for GPT-NeoX.</summary>
    public required int KvHeads { get; init; }

    /// <summary>Gets the width of one head.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Gets the width of the feed-forward layer.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Gets the number of token ids, padding included.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Gets the most tokens of a sequence.</summary>
    public required int Window { get; init; }

    /// <summary>Gets how many of a head's leading channels are rotated.</summary>
    public required int RotaryDimensions { get; init; }

    /// <summary>Gets the base of the rotary frequencies.</summary>
    public required double RotaryBase { get; init; }

    /// <summary>Gets the epsilon of the layer norms.</summary>
    public required double LayerNormEpsilon { get; init; }

    /// <summary>Gets the feed-forward activation.</summary>
    public required Activation Activation { get; init; }

    /// <summary>Gets whether attention and feed-forward read the same residual.</summary>
    public required bool ParallelResidual { get; init; }

    /// <summary>Gets whether the output head is the input embedding.</summary>
    public required bool TiedEmbeddings { get; init; }

    /// <summary>Gets whether the attention's linear layers have biases.</summary>
    public required bool AttentionBias { get; init; }

    /// <summary>Gets the end-of-text token; <see langword="null"/> where the model has none.</summary>
    public int? EosTokenId { get; init; }
}

/// <summary>The feed-forward activations of GPT-NeoX checkpoints.</summary>
public enum Activation
{
    /// <summary><c>gelu</c>: with the error function.</summary>
    Gelu,

    /// <summary><c>gelu_new</c>: the tanh approximation.</summary>
    GeluTanh,
}
