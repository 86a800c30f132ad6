namespace Granary.Contexts;

/// <summary>One element of an answer's stream: a token, or, last, the whole answer.</summary>
/// <param name="Token">A token; absent in the last element.</param>
/// <param name="Answer">The answer; present in the last element.</param>
[GenerateSerializer, Immutable, Alias("granary.answer-part")]
public sealed record AnswerPart([property: Id(0)] AnswerToken? Token, [property: Id(1)] Answer? Answer);
