namespace Granary.Contexts;

/// <summary>A context that is resident now, and where its pages came from. Pages that nobody reads may be reclaimed again, unless the context is pinned.</summary>
/// <param name="Context">The context.</param>
/// <param name="ResidentTokens">Tokens of pages that were in memory.</param>
/// <param name="RestoredTokens">Tokens of pages that were read from the store.</param>
/// <param name="RecomputedTokens">Tokens of pages that were computed.</param>
/// <param name="Plan">What was decided about the stored pages.</param>
/// <param name="Seconds">From the request's arrival at the grain.</param>
/// <param name="Numerics">The numerics id of the pages.</param>
/// <param name="Exact">Whether the promise of equal bits holds for it.</param>
[GenerateSerializer, Immutable, Alias("granary.context-warmed")]
public sealed record ContextWarmed(
    [property: Id(0)] ContextDescription Context,
    [property: Id(1)] int ResidentTokens,
    [property: Id(2)] int RestoredTokens,
    [property: Id(3)] int RecomputedTokens,
    [property: Id(4)] AnswerPlan Plan,
    [property: Id(5)] double Seconds,
    [property: Id(6)] string Numerics,
    [property: Id(7)] bool Exact);
