namespace Granary.Contexts;

/// <summary>What was decided about a stored prefix.</summary>
/// <param name="Decision"><c>resident</c>, <c>load</c>, <c>recompute</c>, <c>mixed</c> or <c>none</c>.</param>
/// <param name="Reason">Why, in words.</param>
[GenerateSerializer, Immutable, Alias("granary.answer-plan")]
public sealed record AnswerPlan([property: Id(0)] string Decision, [property: Id(1)] string Reason);
