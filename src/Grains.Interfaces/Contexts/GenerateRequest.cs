namespace Granary.Contexts;

/// <summary>A context and a prompt that are answered without storing anything.</summary>
[GenerateSerializer, Immutable, Alias("granary.generate")]
public sealed record GenerateRequest
{
    /// <summary>Gets the context.</summary>
    [Id(0)]
    public required TokenInput Context { get; init; }

    /// <summary>Gets the prompt, tokenized apart from the context.</summary>
    [Id(1)]
    public required TokenInput Prompt { get; init; }

    /// <summary>Gets how the answer is decoded.</summary>
    [Id(2)]
    public GenerationOptions Options { get; init; } = new();

    /// <summary>Gets whether stored and resident pages are left alone and everything is computed.</summary>
    [Id(3)]
    public bool NoCache { get; init; }

    /// <summary>Gets whether the request yields to interactive ones.</summary>
    [Id(4)]
    public bool Batch { get; init; }

    /// <summary>Gets how far the answer had come when its stream broke: it goes on at the next token. The SDK sets it.</summary>
    [Id(5)]
    public AnswerResume? Resume { get; init; }
}
