namespace Granary.Inference.Benchmarks;

/// <summary>What the codecs are compared on.</summary>
public sealed record CodecBenchmarkOptions
{
    /// <summary>Gets the checkpoint's folder.</summary>
    public required string Folder { get; init; }

    /// <summary>Gets what the model is called.</summary>
    public required string ModelId { get; init; }

    /// <summary>Gets the threads that compute.</summary>
    /// <value>At least 1. Default: <see langword="null"/>, the engine's choice.</value>
    public int? Threads { get; init; }

    /// <summary>Gets the tokens of an answer, whatever they are: an end of text does not end it.</summary>
    /// <value>At least 1. Default: 16.</value>
    public int MaxNewTokens { get; init; } = 16;

    /// <summary>Gets the memory that a run may take beside the models.</summary>
    /// <value>Bytes. Default: <see langword="null"/>, what the process may still use.</value>
    public long? MemoryBytes { get; init; }

    /// <summary>Gets the contexts with the prompts that are asked on each.</summary>
    public required IReadOnlyList<PromptedContext> Contexts { get; init; }
}

/// <summary>A context, and what is asked about it.</summary>
/// <param name="Context">Its text.</param>
/// <param name="Prompts">The prompts.</param>
public sealed record PromptedContext(string Context, IReadOnlyList<string> Prompts);
