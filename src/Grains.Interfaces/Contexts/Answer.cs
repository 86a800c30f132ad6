namespace Granary.Contexts;

/// <summary>An answer, and all that is needed to check the cache that gave it. The answer document of DESIGN §8.</summary>
[GenerateSerializer, Immutable, Alias("granary.answer")]
public sealed record Answer
{
    /// <summary>Gets the context's name; <see langword="null"/> where none is stored.</summary>
    [Id(0)]
    public string? Context { get; init; }

    /// <summary>Gets the model id.</summary>
    [Id(1)]
    public required string Model { get; init; }

    /// <summary>Gets the context's version that answered; <see langword="null"/> where none is stored.</summary>
    [Id(2)]
    public long? Version { get; init; }

    /// <summary>Gets the numerics id: all that the bits depend on beside ids and options.</summary>
    [Id(3)]
    public required string Numerics { get; init; }

    /// <summary>Gets whether the promise of equal bits holds for that numerics id.</summary>
    [Id(4)]
    public required bool Exact { get; init; }

    /// <summary>Gets the answer's text, up to the end-of-text token or the stop string; <see langword="null"/> without a tokenizer.</summary>
    [Id(5)]
    public string? Text { get; init; }

    /// <summary>Gets the decoded ids, the one that ended the answer included.</summary>
    [Id(6)]
    public required int[] TokenIds { get; init; }

    /// <summary>Gets each token's natural log-probability, before temperature and cuts; where asked for.</summary>
    [Id(7)]
    public double[]? LogProbabilities { get; init; }

    /// <summary>Gets each token's likeliest alternatives, likeliest first; where asked for.</summary>
    [Id(8)]
    public TokenAlternative[][]? TopLogProbabilities { get; init; }

    /// <summary>Gets why decoding ended: <c>eos</c>, <c>stop</c> or <c>length</c>.</summary>
    [Id(9)]
    public required string FinishReason { get; init; }

    /// <summary>Gets the seed that was used; <see langword="null"/> for greedy answers.</summary>
    [Id(10)]
    public long? Seed { get; init; }

    /// <summary>Gets where the tokens' KV came from.</summary>
    [Id(11)]
    public required AnswerUsage Usage { get; init; }

    /// <summary>Gets the time from the request's arrival at the grain to its first token; where the stream went on at another silo, the time until it came to the client.</summary>
    /// <value>Seconds.</value>
    [Id(12)]
    public required double FirstTokenSeconds { get; init; }

    /// <summary>Gets what was decided about the stored prefix, and why.</summary>
    [Id(13)]
    public required AnswerPlan Plan { get; init; }

    /// <summary>Gets <c>same</c> or <c>differs</c>: whether joint tokenization would have given the same ids; <see langword="null"/> without texts.</summary>
    [Id(14)]
    public string? Seam { get; init; }

    /// <summary>Gets how old the manifest check was, where the store did not answer.</summary>
    [Id(15)]
    public double? VersionAgeSeconds { get; init; }

    /// <summary>Gets the version that prompt and answer became, durable by now; <see langword="null"/> where they were not to be kept.</summary>
    [Id(16)]
    public long? KeptVersion { get; init; }
}
