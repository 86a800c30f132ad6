namespace Granary.Contexts;

/// <summary>Continuations of a stored context whose tokens' log-probabilities are wanted, each for itself.</summary>
[GenerateSerializer, Immutable, Alias("granary.score")]
public sealed record ScoreRequest
{
    /// <summary>Gets the continuations.</summary>
    /// <value>1 to 64.</value>
    [Id(1)]
    public required TokenInput[] Continuations { get; init; }

    /// <summary>Wraps continuations.</summary>
    /// <param name="continuations">At least one.</param>
    /// <returns>The request.</returns>
    public static ScoreRequest Of(params TokenInput[] continuations) => new() { Continuations = continuations };
}
