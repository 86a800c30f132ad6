namespace Granary.Contexts;

/// <summary>How far an answer had come when its stream broke.</summary>
/// <param name="Start">Where it starts.</param>
/// <param name="TokenIds">The tokens that had arrived: they stay what they are, and are not sent again.</param>
[GenerateSerializer, Immutable, Alias("granary.answer-resume")]
public sealed record AnswerResume([property: Id(0)] AnswerStart Start, [property: Id(1)] int[] TokenIds);
