using Granary.Errors;
using Granary.Naming;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Residency;

/// <summary>Refuses names that no tenant can have, and budgets that could hold nothing, before the silo starts.</summary>
internal sealed class TenantsOptionsValidator : IValidateOptions<TenantsOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, TenantsOptions options)
    {
        var faults = new ValidateOptionsResultBuilder();
        foreach (var (tenant, settings) in options)
        {
            if (tenant is not (TenantsOptions.Others or Names.SharedTenant))
            {
                try
                {
                    Names.CheckTenant(tenant);
                }
                catch (GranaryException e)
                {
                    faults.AddError(e.Message, $"Granary:Tenants:{tenant}");
                }
            }

            foreach (var (bytes, setting) in new[] { (settings.ResidentBytes, nameof(TenantOptions.ResidentBytes)), (settings.StoredBytes, nameof(TenantOptions.StoredBytes)) })
            {
                if (bytes <= 0)
                {
                    faults.AddError($"is {bytes}. Give bytes > 0, or leave it out.", $"Granary:Tenants:{tenant}:{setting}");
                }
            }
        }

        return faults.Build();
    }
}
