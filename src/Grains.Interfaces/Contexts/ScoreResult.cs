namespace Granary.Contexts;

/// <summary>The log-probabilities of a given continuation.</summary>
/// <param name="TokenIds">The continuation's ids.</param>
/// <param name="LogProbabilities">One natural log-probability for each.</param>
/// <param name="Sum">Their sum.</param>
/// <param name="Numerics">The numerics id: all that the bits depend on beside the ids.</param>
/// <param name="Exact">Whether the promise of equal bits holds for that numerics id.</param>
/// <param name="VersionAgeSeconds">How long ago the context's version was checked, where the store did not answer; otherwise <see langword="null"/>, and less than a second.</param>
[GenerateSerializer, Immutable, Alias("granary.score-result")]
public sealed record ScoreResult(
    [property: Id(0)] int[] TokenIds,
    [property: Id(1)] double[] LogProbabilities,
    [property: Id(2)] double Sum,
    [property: Id(3)] string Numerics,
    [property: Id(4)] bool Exact,
    [property: Id(5)] double? VersionAgeSeconds = null);
