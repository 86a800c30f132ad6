namespace Granary.Models;

/// <summary>Names an entry of one silo's registry: KV memory or work on it. It means nothing in any other process (invariant 9).</summary>
/// <param name="Process">The process that made it.</param>
/// <param name="Number">Counts up within the process.</param>
[GenerateSerializer, Immutable, Alias("granary.lease-id")]
public readonly record struct LeaseId([property: Id(0)] Guid Process, [property: Id(1)] long Number);
