namespace Granary.Grains.Residency;

/// <summary>What tenants may have, by name; <c>*</c> is every tenant that is not named. Bound to <c>Granary:Tenants</c>.</summary>
/// <remarks>Tenants that share (<c>Granary:Sharing</c>) hold the same pages, so they are one here, <c>shared</c>.</remarks>
public sealed class TenantsOptions : Dictionary<string, TenantOptions>
{
    /// <summary>The name of every tenant that is not named.</summary>
    public const string Others = "*";

    /// <summary>Gets what a tenant may have.</summary>
    /// <param name="tenant">The tenant, or <c>shared</c>.</param>
    /// <returns>Its settings; those of <see cref="Others"/> for each that it leaves open.</returns>
    public TenantOptions Of(string tenant)
    {
        var (own, others) = (this.GetValueOrDefault(tenant), this.GetValueOrDefault(Others));
        return new TenantOptions { ResidentBytes = own?.ResidentBytes ?? others?.ResidentBytes, StoredBytes = own?.StoredBytes ?? others?.StoredBytes };
    }
}
