namespace Granary.Datasets;

/// <summary>One context of a data set, with its questions (DESIGN §8).</summary>
/// <param name="Id">Unique within the data set.</param>
/// <param name="Context">The text.</param>
/// <param name="Questions">Questions about it; may be empty.</param>
[GenerateSerializer, Immutable, Alias("granary.dataset-item")]
public sealed record DatasetItem(
    [property: Id(0)] string Id,
    [property: Id(1)] string Context,
    [property: Id(2)] DatasetQuestion[] Questions);
