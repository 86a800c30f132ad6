using Granary.Contexts;

namespace Granary.Datasets;

/// <summary>The answer to one question of a data set.</summary>
/// <param name="Item">The item's id.</param>
/// <param name="Question">The question.</param>
/// <param name="Answer">The answer; <see langword="null"/> where it failed.</param>
/// <param name="Failure">Why it failed; <see langword="null"/> where it did not.</param>
[GenerateSerializer, Immutable, Alias("granary.dataset-answer")]
public sealed record DatasetAnswer(
    [property: Id(0)] string Item,
    [property: Id(1)] DatasetQuestion Question,
    [property: Id(2)] Answer? Answer,
    [property: Id(3)] DatasetFailure? Failure);
