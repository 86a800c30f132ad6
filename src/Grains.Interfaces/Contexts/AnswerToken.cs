namespace Granary.Contexts;

/// <summary>One decoded token.</summary>
/// <param name="Index">0 for the answer's first token.</param>
/// <param name="Id">The token.</param>
/// <param name="Text">The text that became certain with it, whole characters only; <see langword="null"/> without a tokenizer.</param>
/// <param name="LogProbability">Its natural log-probability; where asked for.</param>
[GenerateSerializer, Immutable, Alias("granary.answer-token")]
public sealed record AnswerToken(
    [property: Id(0)] int Index,
    [property: Id(1)] int Id,
    [property: Id(2)] string? Text,
    [property: Id(3)] double? LogProbability);
