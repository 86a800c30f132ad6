namespace Granary.Contexts;

/// <summary>Where the KV of an answer's tokens came from, fixed when the ask is admitted. <c>ContextTokens = ResidentTokens + RestoredTokens + RecomputedTokens</c>.</summary>
/// <param name="ContextTokens">Tokens of the context.</param>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="ResidentTokens">Context tokens found in device memory.</param>
/// <param name="RestoredTokens">Context tokens read from the store.</param>
/// <param name="RecomputedTokens">Context tokens computed.</param>
/// <param name="DecodedTokens">Tokens of the answer.</param>
[GenerateSerializer, Immutable, Alias("granary.answer-usage")]
public sealed record AnswerUsage(
    [property: Id(0)] int ContextTokens,
    [property: Id(1)] int PromptTokens,
    [property: Id(2)] int ResidentTokens,
    [property: Id(3)] int RestoredTokens,
    [property: Id(4)] int RecomputedTokens,
    [property: Id(5)] int DecodedTokens);
