namespace Granary.Contexts;

/// <summary>The log-probabilities of a given continuation.</summary>
/// <param name="TokenIds">The continuation's ids.</param>
/// <param name="LogProbabilities">One natural log-probability for each.</param>
/// <param name="Sum">Their sum.</param>
[GenerateSerializer, Immutable, Alias("granary.score-result")]
public sealed record ScoreResult(
    [property: Id(0)] int[] TokenIds,
    [property: Id(1)] double[] LogProbabilities,
    [property: Id(2)] double Sum);
