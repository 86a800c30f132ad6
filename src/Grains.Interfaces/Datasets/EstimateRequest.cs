using Granary.Contexts;

namespace Granary.Datasets;

/// <summary>Contexts that may not be created yet.</summary>
/// <param name="Contexts">At most 4 MiB of text together.</param>
[GenerateSerializer, Immutable, Alias("granary.estimate")]
public sealed record EstimateRequest([property: Id(0)] EstimatedContext[] Contexts);

/// <summary>A context of an estimate.</summary>
/// <param name="Name">The name that it is to have: where a context has it already, that one is what creating would find.</param>
/// <param name="Input">Its text or ids.</param>
[GenerateSerializer, Immutable, Alias("granary.estimated-context")]
public sealed record EstimatedContext([property: Id(0)] string Name, [property: Id(1)] TokenInput Input);
