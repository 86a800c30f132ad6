namespace Granary.Contexts;

/// <summary>How an answer is decoded. With the token ids, all that an answer depends on.</summary>
[GenerateSerializer, Immutable, Alias("granary.generation-options")]
public sealed record GenerationOptions
{
    /// <summary>Gets the most tokens that are decoded.</summary>
    /// <value>Default: <see langword="null"/>, 128, or what the window leaves.</value>
    [Id(0)]
    public int? MaxNewTokens { get; init; }

    /// <summary>Gets the sampling temperature.</summary>
    /// <value>Default: 0, greedy.</value>
    [Id(1)]
    public double Temperature { get; init; }

    /// <summary>Gets how many of the likeliest tokens are sampled from.</summary>
    /// <value>At least 1. Default: <see langword="null"/>, all.</value>
    /// <remarks>Exactly so many are left: of tokens that tie at the last place the lowest ids stay. (Hugging Face keeps all of them.)</remarks>
    [Id(2)]
    public int? TopK { get; init; }

    /// <summary>Gets the probability mass of the likeliest tokens that are sampled from.</summary>
    /// <value>(0, 1]. Default: <see langword="null"/>, 1.</value>
    /// <remarks>
    /// Left are the likeliest tokens up to and with the one that brings the sum of their probabilities to the mass: a sum that is equal to it ends them, and of tokens
    /// that tie there the lowest ids stay. Probabilities are those at the temperature, among the tokens that <see cref="TopK"/> left.
    /// </remarks>
    [Id(3)]
    public double? TopP { get; init; }

    /// <summary>Gets the seed of the random numbers, which are keyed by (seed, absolute position).</summary>
    /// <value>Default: <see langword="null"/>, drawn at random where the temperature is above 0.</value>
    [Id(4)]
    public long? Seed { get; init; }

    /// <summary>Gets strings that end the answer; the text stops in front of the first.</summary>
    [Id(5)]
    public string[] Stop { get; init; } = [];

    /// <summary>Gets whether the end-of-text token is an ordinary one.</summary>
    [Id(6)]
    public bool IgnoreEos { get; init; }

    /// <summary>Gets whether each token's log-probability is returned.</summary>
    [Id(7)]
    public bool LogProbabilities { get; init; }

    /// <summary>Gets how many alternatives are returned for each token, with their log-probabilities.</summary>
    /// <value>0 to 20. Default: 0.</value>
    [Id(8)]
    public int TopLogProbabilities { get; init; }

    /// <summary>Gets by what the logits of ids that occurred in context, prompt or answer are divided (above 0) or multiplied, before temperature.</summary>
    /// <value>0.01 to 100; above 1 repeats less. Default: 1, off.</value>
    /// <remarks>Keskar et al. 2019, section 4.1. Log-probabilities stay those of the raw logits.</remarks>
    [Id(9)]
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Gets token ids that end the answer, like the end-of-text token: the id is returned, the text stops in front of it, the finish reason is <c>stop</c>.</summary>
    /// <value>At most 16, of the vocabulary. Default: none.</value>
    [Id(10)]
    public int[] StopIds { get; init; } = [];
}
