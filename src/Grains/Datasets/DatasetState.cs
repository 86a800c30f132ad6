using Granary.Datasets;

namespace Granary.Grains.Datasets;

/// <summary>What a coordinator keeps: its last run.</summary>
internal sealed class DatasetState
{
    public Guid Run { get; set; }

    public string Digest { get; set; } = "";

    public string Model { get; set; } = "";

    public string? ModelFolder { get; set; }

    public int Items { get; set; }

    public DatasetFailure[] Unreadable { get; set; } = [];

    /// <summary>Gets or sets the status at the last change of a shard.</summary>
    public DatasetStatus? Status { get; set; }

    public int Shards => (Items + DatasetId.ShardItems - 1) / DatasetId.ShardItems;
}

/// <summary>What a shard keeps: which of its items the run has been through, and the run's sums.</summary>
internal sealed class DatasetShardState
{
    public ShardRequest? Request { get; set; }

    /// <summary>Gets or sets the ids of the items that this run has finished, well or not.</summary>
    public HashSet<string> Finished { get; set; } = [];

    public int Done { get; set; }

    public int Failed { get; set; }

    public int Skipped { get; set; }

    public long PrefilledTokens { get; set; }

    public double PrefillSeconds { get; set; }

    public long StoredBytes { get; set; }

    public long Tokens { get; set; }

    public List<DatasetFailure> Failures { get; set; } = [];

    /// <summary>Gets or sets whether an item's KV is of inexact numerics.</summary>
    public bool Inexact { get; set; }

    public bool Ended { get; set; }
}
