namespace Granary.Contexts;

/// <summary>One step of a context's way into device memory.</summary>
/// <param name="DoneTokens">Tokens whose pages are there.</param>
/// <param name="TotalTokens">Tokens of the context.</param>
/// <param name="Result">What was done; present in the last element only.</param>
[GenerateSerializer, Immutable, Alias("granary.warm-progress")]
public sealed record WarmProgress(
    [property: Id(0)] int DoneTokens,
    [property: Id(1)] int TotalTokens,
    [property: Id(2)] ContextWarmed? Result = null);
