using System.Collections.Concurrent;
using Granary.Errors;
using Granary.Inference.Pages;

namespace Granary.Grains.Residency;

/// <summary>The KV bytes of the device, and of the tenants that have a budget of their own. Thread-safe.</summary>
internal sealed class KvBudgets
{
    private readonly ConcurrentDictionary<string, KvBudget> _ofTenants = new(StringComparer.Ordinal);
    private readonly TenantsOptions _tenants;
    private readonly Func<string, KvBudget> _makeOfTenant;

    /// <summary>Makes the budgets.</summary>
    /// <param name="deviceBytes">The device's.</param>
    /// <param name="tenants">Those of tenants.</param>
    /// <param name="reclaim">Frees at least so many bytes, of one tenant or of all; answers how many.</param>
    /// <param name="sumKept">Tells how many bytes pinned contexts keep, of one tenant or of all.</param>
    public KvBudgets(long deviceBytes, TenantsOptions tenants, Func<long, string?, long> reclaim, Func<string?, long> sumKept)
    {
        _tenants = tenants;
        Device = new KvBudget(deviceBytes, bytes => reclaim(bytes, null)) { Kept = () => sumKept(null) };
        _makeOfTenant = tenant => new KvBudget(tenants.Of(tenant).ResidentBytes!.Value, bytes => reclaim(bytes, tenant)) { Kept = () => sumKept(tenant) };
    }

    /// <summary>Gets the device's.</summary>
    public KvBudget Device { get; }

    /// <summary>Gets the requests that wait for a tenant's bytes, or the device's.</summary>
    public int Waiters => Device.Waiters + _ofTenants.Values.Sum(static budget => budget.Waiters);

    /// <summary>Waits until bytes are free, in order: first of the tenant's budget, where it has one, then of the device.</summary>
    /// <param name="tenant">Who pays: the tenant, or <c>shared</c>.</param>
    /// <param name="bytes">All bytes that the request will need.</param>
    /// <param name="batch">Whether interactive requests go first.</param>
    /// <param name="cancellationToken">Gives the place in the queue back.</param>
    /// <returns>The bytes, of both budgets; the caller disposes them.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.KvBudgetExceeded"/>: more than the tenant may ever hold.</exception>
    /// <exception cref="Inference.Errors.InferenceException"><c>KvBudgetExceeded</c>: more than the device may ever hold.</exception>
    /// <remarks>
    /// Invariant 10. While the device's bytes are waited for, those of the tenant are taken: nobody who holds the device's waits for the tenant's, so it
    /// goes on. A tenant that is over its budget has its own idle leases reclaimed, not those of others.
    /// </remarks>
    public async Task<KvReservation> AdmitAsync(string tenant, long bytes, bool batch, CancellationToken cancellationToken)
    {
        if (FindOf(tenant) is not { } own)
        {
            return await Device.AdmitAsync(bytes, batch, cancellationToken);
        }

        Device.RequireFits(bytes);
        RequireFits(tenant, own, bytes, own.Kept());
        var ofTenant = await own.AdmitAsync(bytes, batch, cancellationToken);
        try
        {
            return (await Device.AdmitAsync(bytes, batch, cancellationToken)).JoinedBy(ofTenant);
        }
        catch
        {
            ofTenant.Dispose();
            throw;
        }
    }

    /// <summary>Refuses a context that could never be held, whatever is pinned now.</summary>
    /// <param name="context">The context, for the message.</param>
    /// <param name="tenant">Who would pay.</param>
    /// <param name="bytes">Its pages' bytes.</param>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.KvBudgetExceeded"/>: it is larger than the device's budget, or the tenant's.</exception>
    public void RequireFits(string context, string tenant, long bytes)
    {
        if (bytes > Device.TotalBytes)
        {
            throw new GranaryException(
                ErrorCodes.KvBudgetExceeded,
                $"'{context}' needs {bytes} bytes of KV, the budget is {Device.TotalBytes}.",
                "Shorten the context, or raise Granary:Residency:BudgetBytes.");
        }

        if (FindOf(tenant) is { } own && bytes > own.TotalBytes)
        {
            throw new GranaryException(
                ErrorCodes.KvBudgetExceeded,
                $"'{context}' needs {bytes} bytes of KV, the budget of the tenant '{tenant}' is {own.TotalBytes}.",
                $"Shorten the context, or raise Granary:Tenants:{tenant}:ResidentBytes.");
        }
    }

    /// <summary>Refuses a request for more than the whole budget of the device, or the tenant's, whatever it shares with what is resident.</summary>
    /// <param name="tenant">Who would pay.</param>
    /// <param name="bytes">All bytes that it would use.</param>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.KvBudgetExceeded"/>: more than the tenant may ever hold.</exception>
    /// <exception cref="Inference.Errors.InferenceException"><c>KvBudgetExceeded</c>: more than the device may ever hold.</exception>
    public void RequireFits(string tenant, long bytes)
    {
        Device.RequireFits(bytes, kept: 0);
        if (FindOf(tenant) is { } own)
        {
            RequireFits(tenant, own, bytes, kept: 0);
        }
    }

    /// <summary>Finds the budgets that a tenant's pages are held in.</summary>
    /// <param name="tenant">Who pays.</param>
    /// <returns>Its own, where it has one, and the device's, whose payer is <see langword="null"/>.</returns>
    public (KvBudget Budget, string? Payer)[] FindAllOf(string tenant) => FindOf(tenant) is { } own ? [(own, tenant), (Device, null)] : [(Device, null)];

    /// <summary>Has whoever waits look again: memory that could not be reclaimed can be.</summary>
    /// <param name="tenant">Whose memory.</param>
    public void NoteReclaimable(string tenant)
    {
        foreach (var (budget, _) in FindAllOf(tenant))
        {
            budget.NoteReclaimable();
        }
    }

    private KvBudget? FindOf(string tenant) => _ofTenants.TryGetValue(tenant, out var known) ? known
        : _tenants.Of(tenant).ResidentBytes is not null ? _ofTenants.GetOrAdd(tenant, _makeOfTenant)
        : null;

    private static void RequireFits(string tenant, KvBudget own, long bytes, long kept)
    {
        if (bytes > own.TotalBytes - kept)
        {
            throw new GranaryException(
                ErrorCodes.KvBudgetExceeded,
                $"The request needs {bytes} bytes of KV, the budget of the tenant '{tenant}' is {own.TotalBytes}{(kept > 0 ? $", of which pinned contexts keep {kept}" : "")}.",
                $"Ask for less, unpin a context, or raise Granary:Tenants:{tenant}:ResidentBytes.");
        }
    }
}
