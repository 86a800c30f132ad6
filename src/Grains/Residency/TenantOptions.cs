namespace Granary.Grains.Residency;

/// <summary>What one tenant may have.</summary>
public sealed class TenantOptions
{
    /// <summary>Gets or sets the KV bytes that the tenant may hold in a silo's device memory, those of running asks included. A request that needs more is refused; where its contexts hold too much, its own idle ones make room.</summary>
    /// <value>Bytes. Default: <see langword="null"/>, as many as the device's budget.</value>
    public long? ResidentBytes { get; set; }

    /// <summary>Gets or sets the chunk bytes that the tenant may have in the store. A creation or an addition beyond it is refused.</summary>
    /// <value>Bytes. Default: <see langword="null"/>, no bound.</value>
    /// <remarks>What lies there is listed at most every five minutes, and before a refusal; what this silo writes in between is added. Several silos together may exceed it by what they write in that time.</remarks>
    public long? StoredBytes { get; set; }
}
