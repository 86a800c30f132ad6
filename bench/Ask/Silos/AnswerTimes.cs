namespace Granary.Bench.Ask.Silos;

/// <summary>An answer, as its caller saw it.</summary>
/// <param name="FirstSeconds">Until its first token.</param>
/// <param name="Seconds">Until its end.</param>
/// <param name="AllocatedBytes">What the process allocated meanwhile.</param>
/// <param name="ProcessorSeconds">What the process computed meanwhile, all threads together.</param>
/// <param name="TokenIds">The answer.</param>
[GenerateSerializer, Immutable, Alias("granary.bench.answer-times")]
internal sealed record AnswerTimes(
    [property: Id(0)] double FirstSeconds, [property: Id(1)] double Seconds, [property: Id(2)] long AllocatedBytes, [property: Id(3)] double ProcessorSeconds, [property: Id(4)] int[] TokenIds);
