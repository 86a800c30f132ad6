namespace Granary.Datasets;

/// <summary>What a data set was precomputed with last.</summary>
/// <param name="Digest">The digest of its items.</param>
/// <param name="Model">The model id.</param>
[GenerateSerializer, Immutable, Alias("granary.dataset-content")]
public sealed record DatasetContent([property: Id(0)] string Digest, [property: Id(1)] string Model);
