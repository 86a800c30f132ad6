namespace Granary.Contexts;

/// <summary>One element of an answer's stream: first where it starts, then its tokens, last the whole answer.</summary>
/// <param name="Token">A token; absent in the first and the last element.</param>
/// <param name="Answer">The answer; present in the last element.</param>
/// <param name="Start">Where the answer starts; present in the first element of a grain's stream. The SDK takes it out.</param>
[GenerateSerializer, Immutable, Alias("granary.answer-part")]
public sealed record AnswerPart(
    [property: Id(0)] AnswerToken? Token,
    [property: Id(1)] Answer? Answer,
    [property: Id(2)] AnswerStart? Start = null);
