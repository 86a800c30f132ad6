namespace Granary.Datasets;

/// <summary>What <c>granary dataset precompute</c> and <c>status</c> print (DESIGN §8). <c>Done + Failed + Skipped = Items</c> once a run has ended.</summary>
[GenerateSerializer, Immutable, Alias("granary.dataset-status")]
public sealed record DatasetStatus
{
    /// <summary>Gets the data set's name.</summary>
    [Id(0)]
    public required string Dataset { get; init; }

    /// <summary>Gets the number of items, unreadable lines included.</summary>
    [Id(1)]
    public required int Items { get; init; }

    /// <summary>Gets the items computed in this run.</summary>
    [Id(2)]
    public required int Done { get; init; }

    /// <summary>Gets the items that failed in this run, unreadable lines included.</summary>
    [Id(3)]
    public required int Failed { get; init; }

    /// <summary>Gets the items that this run found stored; those that it had computed itself, but not counted yet, when a silo died, are among them.</summary>
    [Id(4)]
    public required int Skipped { get; init; }

    /// <summary>Gets the tokens that this run computed.</summary>
    [Id(5)]
    public required long PrefilledTokens { get; init; }

    /// <summary>Gets the bytes that the items' chunks take in the store, shared ones counted per item.</summary>
    [Id(6)]
    public required long StoredBytes { get; init; }

    /// <summary>Gets how long the run has taken.</summary>
    [Id(7)]
    public required double Seconds { get; init; }

    /// <summary>Gets the model id.</summary>
    [Id(8)]
    public required string Model { get; init; }

    /// <summary>Gets the checkpoint folder that the run was started with, for a command that embeds a silo; <see langword="null"/> where it named a model id.</summary>
    [Id(9)]
    public string? ModelFolder { get; init; }

    /// <summary>Gets the context tokens of all items that are stored.</summary>
    [Id(10)]
    public long Tokens { get; init; }

    /// <summary>Gets the engine seconds that this run's prefill took.</summary>
    [Id(11)]
    public double PrefillSeconds { get; init; }

    /// <summary>Gets the first failures, at most 100.</summary>
    [Id(12)]
    public DatasetFailure[] Failures { get; init; } = [];

    /// <summary>Gets whether the run has ended.</summary>
    [Id(13)]
    public bool Ended { get; init; }

    /// <summary>Gets whether the promise of equal bits holds for the KV of every item that this run computed or found stored; silos may differ.</summary>
    /// <value>Default: <see langword="true"/>, until an item says otherwise.</value>
    [Id(14)]
    public bool Exact { get; init; } = true;

    /// <summary>Gets the run's id, under which whoever started or joined it joins it again, or is told how it ended; <see langword="null"/> in what earlier builds wrote.</summary>
    [Id(15)]
    public Guid? Run { get; init; }
}
