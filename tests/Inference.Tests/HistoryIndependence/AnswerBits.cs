using System.Globalization;
using Granary.Inference.Generation;

namespace Granary.Inference.Tests.HistoryIndependence;

/// <summary>An answer as text that is equal exactly where ids and the bits of the log-probabilities are.</summary>
internal static class AnswerBits
{
    public static string Of(GenerationResult answer) => Join(answer.TokenIds.Zip(answer.LogProbabilities ?? throw new ArgumentException("The answer has no log-probabilities.")));

    public static string Of(double[] scores) => Join(scores.Select((score, index) => (index, score)));

    private static string Join(IEnumerable<(int Id, double LogProbability)> tokens) => string.Join(
        ' ', tokens.Select(token => string.Create(CultureInfo.InvariantCulture, $"{token.Id}:{BitConverter.DoubleToInt64Bits(token.LogProbability):x16}")));
}
