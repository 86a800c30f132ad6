namespace Granary.Grains.Residency;

/// <summary>How much KV a silo may hold. Bound to <c>Granary:Residency</c>.</summary>
public sealed class ResidencyOptions
{
    /// <summary>Gets or sets the KV bytes that one device may hold. A request that needs more is refused, not queued.</summary>
    /// <value>Bytes. Default: <see langword="null"/>, half of the memory that the process may use. Beside it, a model computes in memory of its own, which is taken once when it is loaded (<c>granary model info</c> tells it), up to 512 MiB (or a sixteenth of the memory, where that is less) of freed pages stay with the process for the next ones. Of it, where a model has a codec, <see cref="ConcurrentWrites"/> pages are set aside, as they are stored.</value>
    public long? BudgetBytes { get; set; }

    /// <summary>Gets or sets how many chunks one silo writes to the store at a time.</summary>
    /// <value>Default: 4.</value>
    public int ConcurrentWrites { get; set; } = 4;

    /// <summary>Gets or sets the share of <see cref="BudgetBytes"/> that pinned contexts may keep from being reclaimed, so that pins cannot starve everything else.</summary>
    /// <value>0 (no context can be pinned) to less than 1. Default: 0.5.</value>
    public double PinnedShare { get; set; } = 0.5;

    /// <summary>Gets the budget that holds here.</summary>
    /// <returns>Bytes.</returns>
    public long GetBudgetBytes() => BudgetBytes ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2;
}
