namespace Granary.Inference.Generation;

/// <summary>How tokens are chosen. With the token ids, all that an answer depends on.</summary>
public sealed record SamplingOptions
{
    /// <summary>Gets the most tokens that are decoded.</summary>
    /// <value>At least 1.</value>
    public required int MaxNewTokens { get; init; }

    /// <summary>Gets the sampling temperature.</summary>
    /// <value>Default: 0, greedy.</value>
    public double Temperature { get; init; }

    /// <summary>Gets how many of the likeliest tokens are sampled from.</summary>
    /// <value>At least 1. Default: <see langword="null"/>, all.</value>
    /// <remarks>
    /// Exactly so many are left: of tokens that tie at the last place the lowest ids stay. (Hugging Face's <c>TopKLogitsWarper</c> keeps all of them.) The order is that
    /// of the logits in float32 after the repetition penalty; 0 and -0 tie.
    /// </remarks>
    public int? TopK { get; init; }

    /// <summary>Gets the probability mass of the likeliest tokens that are sampled from.</summary>
    /// <value>(0, 1]. Default: <see langword="null"/>, 1.</value>
    /// <remarks>
    /// Left are the likeliest tokens up to and with the one that brings the sum of their probabilities to the mass: a sum that is equal to it ends them, and one token
    /// is always left. Tokens that tie come in ascending order of ids, so a tie at the boundary keeps the lowest ids. Probabilities are those at the temperature; with
    /// <see cref="TopK"/> they are shares of what it left. 1 cuts nothing off.
    /// </remarks>
    public double? TopP { get; init; }

    /// <summary>Gets by what the logits of ids that occurred in context, prompt or answer are divided (above 0) or multiplied, before temperature.</summary>
    /// <value>0.01 to 100; above 1 repeats less. Default: 1, off.</value>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Gets the seed of the random numbers, which are keyed by (seed, absolute position).</summary>
    public long Seed { get; init; }

    /// <summary>Gets strings that end the answer; the text stops in front of the first.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Gets token ids that end the answer, like the end-of-text token: the id is returned, the text stops in front of it.</summary>
    public IReadOnlyList<int> StopIds { get; init; } = [];

    /// <summary>Gets whether the end-of-text token is an ordinary one.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Gets whether each token's log-probability is returned.</summary>
    public bool LogProbabilities { get; init; }

    /// <summary>Gets how many alternatives are returned for each token.</summary>
    /// <value>0 to 20. Default: 0.</value>
    public int TopLogProbabilities { get; init; }

    /// <summary>Lists what is wrong with the options, every fault at once.</summary>
    internal IReadOnlyList<string> Faults()
    {
        var faults = new List<string>();
        AddIf(MaxNewTokens < 1, $"the number of new tokens is {MaxNewTokens}, at least 1 is needed");
        AddIf(!double.IsFinite(Temperature) || Temperature < 0, $"the temperature is {Temperature}, it is 0 or above");
        AddIf(TopK < 1, $"top-k is {TopK}, it is 1 or above");
        AddIf(TopP is { } mass && !(mass > 0 && mass <= 1), $"top-p is {TopP}, it is above 0 and at most 1");
        AddIf(!(RepetitionPenalty is >= 0.01 and <= 100), $"the repetition penalty is {RepetitionPenalty}, it is 0.01 to 100");
        AddIf(Stop.Any(string.IsNullOrEmpty), "a stop string is empty");
        AddIf(TopLogProbabilities is < 0 or > 20, $"{TopLogProbabilities} alternatives are asked for, 0 to 20 can be given");
        return faults;

        void AddIf(bool wrong, string fault)
        {
            if (wrong)
            {
                faults.Add(fault);
            }
        }
    }
}
