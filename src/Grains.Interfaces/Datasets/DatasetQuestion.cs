namespace Granary.Datasets;

/// <summary>One question about an item's context.</summary>
/// <param name="Id">Unique within the data set.</param>
/// <param name="Question">The prompt.</param>
/// <param name="Answers">The right answers; may be empty.</param>
[GenerateSerializer, Immutable, Alias("granary.dataset-question")]
public sealed record DatasetQuestion(
    [property: Id(0)] string Id,
    [property: Id(1)] string Question,
    [property: Id(2)] string[] Answers);
