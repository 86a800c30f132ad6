namespace Granary.Contexts;

/// <summary>A continuation of a stored context whose tokens' log-probabilities are wanted.</summary>
[GenerateSerializer, Immutable, Alias("granary.score")]
public sealed record ScoreRequest
{
    /// <summary>Gets the continuation.</summary>
    [Id(0)]
    public required TokenInput Continuation { get; init; }
}
