namespace Granary.Silos;

/// <summary>A silo of the cluster: what it is, serves and holds.</summary>
[GenerateSerializer, Immutable, Alias("granary.silo-description")]
public sealed record SiloDescription
{
    /// <summary>Gets its name.</summary>
    [Id(0)]
    public required string Silo { get; init; }

    /// <summary>Gets its address for other silos, with the generation that tells it from an earlier process at the same port.</summary>
    [Id(1)]
    public required string Address { get; init; }

    /// <summary>Gets its state, one of <see cref="SiloStates"/>.</summary>
    [Id(2)]
    public required string State { get; init; }

    /// <summary>Gets its role: <c>worker</c>, <c>front</c> or <c>both</c>; empty from a silo of an earlier build.</summary>
    [Id(3)]
    public required string Role { get; init; }

    /// <summary>Gets the models that it serves, ordered by id.</summary>
    [Id(4)]
    public SiloModel[] Models { get; init; } = [];

    /// <summary>Gets the KV bytes that it may hold.</summary>
    [Id(5)]
    public required long BudgetBytes { get; init; }

    /// <summary>Gets the KV bytes that it holds.</summary>
    [Id(6)]
    public required long ResidentBytes { get; init; }

    /// <summary>Gets the contexts that have their grain there, resident or not.</summary>
    [Id(7)]
    public required int Contexts { get; init; }

    /// <summary>Gets the streams that callers have open there.</summary>
    [Id(8)]
    public required int Streams { get; init; }

    /// <summary>Gets the tokens of context pages that it has computed since it started: a context that is computed twice is counted twice.</summary>
    [Id(9)]
    public long PrefilledTokens { get; init; }

    /// <summary>Gets the contexts that hold KV there, or are about to.</summary>
    [Id(10)]
    public int Leases { get; init; }

    /// <summary>Gets the requests that wait for KV bytes there.</summary>
    [Id(11)]
    public int Waiting { get; init; }

    /// <summary>Gets the requests (an ask, a score, a page) that its engine has accepted and not finished.</summary>
    [Id(12)]
    public int Queued { get; init; }

    /// <summary>Gets the KV bytes that are allocated in its process, counted where they are allocated: never more than <see cref="ResidentBytes"/>, which were admitted.</summary>
    [Id(13)]
    public long AllocatedBytes { get; init; }
}

/// <summary>A model that a silo serves.</summary>
/// <param name="Model">The model id.</param>
/// <param name="Numerics">What the bits of its answers depend on.</param>
/// <param name="Exact">Whether the promise of equal bits holds there.</param>
[GenerateSerializer, Immutable, Alias("granary.silo-model")]
public sealed record SiloModel([property: Id(0)] string Model, [property: Id(1)] string Numerics, [property: Id(2)] bool Exact);
