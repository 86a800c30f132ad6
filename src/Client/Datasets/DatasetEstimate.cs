using Granary.Datasets;

namespace Granary.Client.Datasets;

/// <summary>What precomputing a data set would take. Pages that contexts share are one page.</summary>
public sealed record DatasetEstimate
{
    /// <summary>Gets the items, unreadable ones included.</summary>
    public required int Items { get; init; }

    /// <summary>Gets the items that were looked at so far; at the end all of <see cref="Items"/>.</summary>
    public int Done { get; init; }

    /// <summary>Gets the items that would fail, unreadable ones included.</summary>
    public int Failed { get; init; }

    /// <summary>Gets the first failures, at most 100.</summary>
    public IReadOnlyList<DatasetFailure> Failures { get; init; } = [];

    /// <summary>Gets the tokens of all contexts.</summary>
    public long Tokens { get; init; }

    /// <summary>Gets the pages of all contexts.</summary>
    public long Pages { get; init; }

    /// <summary>Gets how many of them are distinct.</summary>
    public long DistinctPages { get; init; }

    /// <summary>Gets how many of the distinct ones the store has already.</summary>
    public long StoredPages { get; init; }

    /// <summary>Gets the tokens of the others, which are to be computed.</summary>
    public long PrefillTokens { get; init; }

    /// <summary>Gets the bytes that their chunks will take in the store.</summary>
    public long StoreBytes { get; init; }

    /// <summary>Gets the bytes that all distinct pages take in a device's memory.</summary>
    public long ResidentBytes { get; init; }

    /// <summary>Gets how long computing takes on one silo at the pace that it measured.</summary>
    /// <value>Seconds; <see langword="null"/> where a silo has measured nothing yet.</value>
    public double? Seconds { get; init; } = 0;

    /// <summary>Gets whether the promise of equal bits holds where the contexts would be computed.</summary>
    public bool Exact { get; init; } = true;
}
