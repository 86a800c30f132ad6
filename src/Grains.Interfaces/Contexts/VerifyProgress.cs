namespace Granary.Contexts;

/// <summary>One step of a context's verification.</summary>
/// <param name="DoneTokens">Tokens that were read or computed, of both copies together.</param>
/// <param name="TotalTokens">Twice the tokens of the context.</param>
/// <param name="Result">The report; present in the last element only.</param>
[GenerateSerializer, Immutable, Alias("granary.verify-progress")]
public sealed record VerifyProgress(
    [property: Id(0)] int DoneTokens,
    [property: Id(1)] int TotalTokens,
    [property: Id(2)] ContextVerified? Result = null);
