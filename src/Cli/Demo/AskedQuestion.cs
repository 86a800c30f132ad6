using Granary.Contexts;
using Granary.Datasets;

namespace Granary.Cli.Demo;

/// <summary>One question's answer in one of the demo's passes.</summary>
/// <param name="Item">The item.</param>
/// <param name="Question">The question's id.</param>
/// <param name="Answers">The right answers.</param>
/// <param name="Text">The answer's text.</param>
/// <param name="TokenIds">Its ids.</param>
/// <param name="LogProbabilities">One for each.</param>
/// <param name="FirstTokenSeconds">Time to the first token.</param>
/// <param name="Usage">Where the context's KV came from.</param>
/// <param name="Exact">Whether equal bits are promised.</param>
/// <remarks>Its names are those of a line of <c>dataset ask</c>, which the other process's pass is read from.</remarks>
internal sealed record AskedQuestion(
    string Item,
    string Question,
    string[] Answers,
    string? Text,
    int[]? TokenIds,
    double[]? LogProbabilities,
    double FirstTokenSeconds,
    AnswerUsage? Usage,
    bool Exact)
{
    /// <summary>Gets whether the text up to the first full stop is one of the right answers.</summary>
    public bool IsExactMatch => Answers.Contains((Text ?? "").Split('.')[0].Trim(), StringComparer.Ordinal);

    /// <summary>Gets whether the whole context was resident.</summary>
    public bool WasResident => Usage is { } usage && usage.ResidentTokens == usage.ContextTokens;

    /// <summary>Gets whether the whole context was read from the store.</summary>
    public bool WasRestored => Usage is { } usage && usage.RestoredTokens == usage.ContextTokens;

    /// <summary>Takes what counts from a data set's answer.</summary>
    /// <param name="answer">The answer.</param>
    /// <returns>The question.</returns>
    public static AskedQuestion Of(DatasetAnswer answer) => new(
        answer.Item,
        answer.Question.Id,
        answer.Question.Answers,
        answer.Answer?.Text,
        answer.Answer?.TokenIds,
        answer.Answer?.LogProbabilities,
        answer.Answer?.FirstTokenSeconds ?? 0,
        answer.Answer?.Usage,
        answer.Answer?.Exact ?? false);

    /// <summary>Finds the first place where two answers to the same question differ, to the bit.</summary>
    /// <param name="other">The other answer.</param>
    /// <returns>The place; <see langword="null"/> where there is none.</returns>
    public string? FindDifference(AskedQuestion other)
    {
        if (TokenIds is not { } ids || other.TokenIds is not { } otherIds || LogProbabilities is not { } numbers || other.LogProbabilities is not { } otherNumbers)
        {
            return "not answered";
        }

        if (!ids.AsSpan().SequenceEqual(otherIds))
        {
            var index = ids.AsSpan().CommonPrefixLength(otherIds);
            return $"token {index} is {At(ids, index)} and {At(otherIds, index)}";
        }

        for (var index = 0; index < Math.Max(numbers.Length, otherNumbers.Length); index++)
        {
            if (index >= numbers.Length || index >= otherNumbers.Length
                || BitConverter.DoubleToInt64Bits(numbers[index]) != BitConverter.DoubleToInt64Bits(otherNumbers[index]))
            {
                return FormattableString.Invariant($"the log-probability of token {index} is {At(numbers, index)} and {At(otherNumbers, index)}");
            }
        }

        return null;
    }

    private static string At<T>(T[] values, int index) => index < values.Length ? FormattableString.Invariant($"{values[index]}") : "missing";
}
