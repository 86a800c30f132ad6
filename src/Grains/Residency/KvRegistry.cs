using System.Collections.Concurrent;
using Granary.Errors;
using Granary.Inference.Pages;
using Granary.Models;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Residency;

/// <summary>What one silo holds in device memory: the leases of its contexts, the pages that they share, and the work that refers to them.</summary>
/// <remarks>Data moves through it, control through grains (DESIGN §5). Thread-safe.</remarks>
internal sealed partial class KvRegistry
{
    private readonly Guid _process = Guid.NewGuid();
    private readonly Lock _gate = new();
    private readonly HashSet<ContextLease> _leases = [];
    private readonly Dictionary<IGrainContext, HashSet<ContextLease>> _owned = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<ContextLease, (long Bytes, DateTimeOffset Until)> _kept = [];
    private readonly ConcurrentDictionary<long, DeviceWork> _work = [];
    private readonly ConcurrentDictionary<string, KvBudget> _budgets = new(StringComparer.Ordinal); // of tenants that have one
    private readonly TenantsOptions _tenants;
    private readonly TimeProvider _time;
    private readonly ILogger<KvRegistry> _logger;
    private readonly double _pinnedShare;
    private long _uses;
    private long _numbers;

    public KvRegistry(IOptions<ResidencyOptions> options, IOptions<TenantsOptions> tenants, TimeProvider time, ILogger<KvRegistry> logger)
    {
        (_tenants, _time, _logger, _pinnedShare) = (tenants.Value, time, logger, options.Value.PinnedShare);
        Budget = new KvBudget(options.Value.GetBudgetBytes(), bytes => Reclaim(bytes, null)) { Kept = () => SumKept(null, null) };
    }

    /// <summary>Gets the bytes that may be and are held.</summary>
    public KvBudget Budget { get; }

    /// <summary>Gets the pages that contexts share, by chunk hash.</summary>
    public KvPageTable Pages { get; } = new();

    /// <summary>Gets the single flights of pages that are being read or computed.</summary>
    public PageFlights Flights { get; } = new();

    /// <summary>Gets the leases that are open.</summary>
    public int Leases
    {
        get
        {
            lock (_gate)
            {
                return _leases.Count;
            }
        }
    }

    /// <summary>Gets the requests that wait for a tenant's bytes, or the device's.</summary>
    public int Waiters => Budget.Waiters + _budgets.Values.Sum(static budget => budget.Waiters);

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
        if (FindBudget(tenant) is not { } own)
        {
            return await Budget.AdmitAsync(bytes, batch, cancellationToken);
        }

        Budget.RequireFits(bytes);
        RequireFits(tenant, own, bytes);
        var ofTenant = await own.AdmitAsync(bytes, batch, cancellationToken);
        try
        {
            return (await Budget.AdmitAsync(bytes, batch, cancellationToken)).JoinedBy(ofTenant);
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
        if (bytes > Budget.TotalBytes)
        {
            throw new GranaryException(
                ErrorCodes.KvBudgetExceeded,
                $"'{context}' needs {bytes} bytes of KV, the budget is {Budget.TotalBytes}.",
                "Shorten the context, or raise Granary:Residency:BudgetBytes.");
        }

        if (FindBudget(tenant) is { } own && bytes > own.TotalBytes)
        {
            throw new GranaryException(
                ErrorCodes.KvBudgetExceeded,
                $"'{context}' needs {bytes} bytes of KV, the budget of the tenant '{tenant}' is {own.TotalBytes}.",
                $"Shorten the context, or raise Granary:Tenants:{tenant}:ResidentBytes.");
        }
    }

    /// <summary>Opens a lease. It is closed when its owner's activation ends, whatever the grain does (invariant 9).</summary>
    /// <param name="owner">The context grain's activation.</param>
    /// <param name="tenant">Who pays for its pages.</param>
    /// <param name="reclaimFirst">Whether it is to be reclaimed before all others, as a precomputed context is.</param>
    public ContextLease Open(IGrainContext owner, string tenant, bool reclaimFirst)
    {
        var (lease, isFirst) = (new ContextLease(this, owner, tenant), false);
        lock (_gate)
        {
            lease.LastUse = reclaimFirst ? -1 : ++_uses;
            _leases.Add(lease);
            if (!_owned.TryGetValue(owner, out var owned))
            {
                (_owned[owner], isFirst) = (owned = [], true);
            }

            owned.Add(lease);
        }

        if (isFirst)
        {
            // Once an activation, not once a lease: an activation may live long, and be restored again and again.
            _ = owner.Deactivated.ContinueWith(_ => CloseAllOf(owner), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        return lease;
    }

    /// <summary>Refuses a pin that could keep nothing here: pinned contexts may have a share of the budgets only.</summary>
    /// <param name="context">The context, for the message.</param>
    /// <param name="tenant">Who pays for its pages.</param>
    /// <param name="lease">Its lease, where it has one.</param>
    /// <param name="bytes">Its pages' bytes.</param>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.KvBudgetExceeded"/>: the share would be exceeded.</exception>
    public void RequireKeepable(string context, string tenant, ContextLease? lease, long bytes)
    {
        foreach (var (budget, payer) in BudgetsOf(tenant))
        {
            var (most, others) = (MostKept(budget), SumKept(payer, lease));
            if (bytes > most - others)
            {
                throw new GranaryException(
                    ErrorCodes.KvBudgetExceeded,
                    $"'{context}' has {bytes} bytes of KV; pinned contexts{(payer is null ? "" : $" of the tenant '{payer}'")} may keep {most} bytes here, and others keep {others}.",
                    $"Unpin a context, or raise Granary:Residency:PinnedShare or {(payer is null ? "Granary:Residency:BudgetBytes" : $"Granary:Tenants:{payer}:ResidentBytes")}.");
            }
        }
    }

    /// <summary>Enters work that a worker will start.</summary>
    /// <returns>Its id; valid until <see cref="Remove"/>.</returns>
    public LeaseId Add(DeviceWork work)
    {
        var number = Interlocked.Increment(ref _numbers);
        _work[number] = work;
        return new LeaseId(_process, number);
    }

    /// <summary>Finds work by its id.</summary>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.Internal"/>: the id belongs to another process, or its work has ended.</exception>
    public DeviceWork Get(LeaseId id) => id.Process == _process && _work.TryGetValue(id.Number, out var work)
        ? work
        : throw new GranaryException(ErrorCodes.Internal, $"Work {id.Number} is not registered in this process.", "Ask again.");

    /// <summary>Removes work.</summary>
    public void Remove(LeaseId id) => _work.TryRemove(id.Number, out _);

    internal void Touch(ContextLease lease)
    {
        lock (_gate)
        {
            lease.LastUse = ++_uses;
        }
    }

    internal void Forget(ContextLease lease)
    {
        lock (_gate)
        {
            _leases.Remove(lease);
            _kept.Remove(lease);
            _owned.GetValueOrDefault(lease.Owner)?.Remove(lease);
        }
    }

    private void CloseAllOf(IGrainContext owner)
    {
        ContextLease[] open;
        lock (_gate)
        {
            open = _owned.Remove(owner, out var owned) ? [.. owned] : [];
        }

        foreach (var lease in open)
        {
            lease.Close();
        }
    }

    // Not where the share of pinned contexts would be exceeded, nor where somebody waits for more than would be left: he would wait for ever (invariant 10).
    // Entered first, so that who is queued meanwhile sees it.
    internal bool TryKeep(ContextLease lease, long bytes, DateTimeOffset? until)
    {
        lock (_gate)
        {
            _kept.Remove(lease);
            if (until is not { } end || end <= _time.GetUtcNow() || BudgetsOf(lease.Tenant).Any(one => bytes > MostKept(one.Budget) - SumKept(one.Payer, lease)))
            {
                return false;
            }

            _kept[lease] = (bytes, end);
            if (BudgetsOf(lease.Tenant).All(one => one.Budget.FitsAllWaiters(SumKept(one.Payer, null))))
            {
                return true;
            }

            _kept.Remove(lease);
            return false;
        }
    }

    // Nobody reads a lease any more, or it is not kept any more: whoever waits looks again.
    internal void NoteReclaimable(ContextLease lease)
    {
        foreach (var (budget, _) in BudgetsOf(lease.Tenant))
        {
            budget.NoteReclaimable();
        }
    }

    private long MostKept(KvBudget budget) => (long)(budget.TotalBytes * _pinnedShare);

    private (KvBudget Budget, string? Payer)[] BudgetsOf(string tenant) => FindBudget(tenant) is { } own ? [(own, tenant), (Budget, null)] : [(Budget, null)];

    private KvBudget? FindBudget(string tenant) => _budgets.TryGetValue(tenant, out var known) ? known
        : _tenants.Of(tenant).ResidentBytes is { } bytes ? _budgets.GetOrAdd(tenant, _ => new KvBudget(bytes, missing => Reclaim(missing, tenant)) { Kept = () => SumKept(tenant, null) })
        : null;

    private static void RequireFits(string tenant, KvBudget own, long bytes)
    {
        var kept = own.Kept();
        if (bytes > own.TotalBytes - kept)
        {
            throw new GranaryException(
                ErrorCodes.KvBudgetExceeded,
                $"The request needs {bytes} bytes of KV, the budget of the tenant '{tenant}' is {own.TotalBytes}{(kept > 0 ? $", of which pinned contexts keep {kept}" : "")}.",
                $"Ask for less, unpin a context, or raise Granary:Tenants:{tenant}:ResidentBytes.");
        }
    }

    // Of one tenant, or of all.
    private long SumKept(string? tenant, ContextLease? except)
    {
        lock (_gate)
        {
            var now = _time.GetUtcNow();
            return _kept.Sum(entry => entry.Key != except && (tenant is null || entry.Key.Tenant == tenant) && entry.Value.Until > now ? entry.Value.Bytes : 0);
        }
    }

    // Least recently used first, and only leases that nobody reads: no grain turn, no I/O, everything is stored already.
    private long Reclaim(long bytes, string? tenant)
    {
        ContextLease[] candidates;
        lock (_gate)
        {
            var now = _time.GetUtcNow();
            candidates = [.. _leases.Where(lease => (tenant is null || lease.Tenant == tenant) && !(_kept.TryGetValue(lease, out var kept) && kept.Until > now)).OrderBy(static lease => lease.LastUse)];
        }

        var (freed, count) = (0L, 0);
        foreach (var lease in candidates)
        {
            if (freed >= bytes)
            {
                break;
            }

            // Not what the budget has free afterwards: the waiter whose bytes these are may have them already.
            if (lease.TryReclaim() is { } bytesFreed)
            {
                freed += bytesFreed;
                count++;
            }
        }

        if (count > 0)
        {
            Telemetry.Instruments.Evictions.Add(count, new KeyValuePair<string, object?>("reason", "budget"));
            Log.Reclaimed(_logger, count, freed);
        }

        return freed;
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.LeasesReclaimed, LogLevel.Debug, "Reclaimed {Count} leases, {Bytes} bytes of KV")]
        public static partial void Reclaimed(ILogger logger, int count, long bytes);
    }
}
