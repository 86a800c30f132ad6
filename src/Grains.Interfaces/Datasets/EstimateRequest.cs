using Granary.Contexts;

namespace Granary.Datasets;

/// <summary>Contexts that are not created yet.</summary>
/// <param name="Contexts">At most 4 MiB of text together.</param>
[GenerateSerializer, Immutable, Alias("granary.estimate")]
public sealed record EstimateRequest([property: Id(0)] TokenInput[] Contexts);
