using Granary.Errors;
using Granary.Naming;
using Granary.Storage.Chunks;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Contexts;

/// <summary>Which tenants share their KV (invariant 12: none, unless asked). Bound to <c>Granary:Sharing</c>.</summary>
/// <remarks>
/// Tenants that share have one salt, and so one chunk, one page in memory and one prefill for a text that several of them have. Each can then tell by its speed
/// that another one had that text before. A context keeps what it was created with.
/// </remarks>
public sealed class SharingOptions
{
    /// <summary>Gets or sets the tenants whose new contexts share; <c>*</c> is all of them.</summary>
    /// <value>Names. Default: none.</value>
    public string[] Tenants { get; set; } = [];

    /// <summary>Gets whose salt and prefix the chunks of a tenant's new contexts have.</summary>
    internal string ChunkTenantOf(string tenant) =>
        Tenants.Contains("*", StringComparer.Ordinal) || Tenants.Contains(tenant, StringComparer.Ordinal) ? ChunkIdentity.SharedTenant : tenant;
}

/// <summary>Refuses names that no tenant can have, before the silo starts.</summary>
internal sealed class SharingOptionsValidator : IValidateOptions<SharingOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, SharingOptions options)
    {
        var faults = new ValidateOptionsResultBuilder();
        foreach (var tenant in options.Tenants.Where(static tenant => tenant != "*"))
        {
            try
            {
                Names.CheckTenant(tenant);
            }
            catch (GranaryException e)
            {
                faults.AddError(e.Message, "Granary:Sharing:Tenants");
            }
        }

        return faults.Build();
    }
}
