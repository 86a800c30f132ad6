namespace Granary.Datasets;

/// <summary>One shard's part of a run.</summary>
/// <param name="Run">The run: the same id joins, another starts anew.</param>
/// <param name="Digest">The data set's digest.</param>
/// <param name="Model">The model id.</param>
[GenerateSerializer, Immutable, Alias("granary.shard-request")]
public sealed record ShardRequest([property: Id(0)] Guid Run, [property: Id(1)] string Digest, [property: Id(2)] string Model);
