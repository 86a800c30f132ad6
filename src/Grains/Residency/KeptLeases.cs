using Granary.Errors;
using Granary.Inference.Pages;

namespace Granary.Grains.Residency;

/// <summary>The leases of pinned contexts, which are not reclaimed: they may have a share of the budgets only. Thread-safe.</summary>
/// <param name="share">The share of each budget that they may keep, 0 to 1.</param>
/// <param name="time">The clock.</param>
internal sealed class KeptLeases(double share, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ContextLease, (long Bytes, DateTimeOffset Until)> _kept = [];

    /// <summary>Tells whether a lease is kept now.</summary>
    /// <param name="lease">The lease.</param>
    public bool Contains(ContextLease lease)
    {
        lock (_gate)
        {
            return _kept.TryGetValue(lease, out var kept) && kept.Until > time.GetUtcNow();
        }
    }

    /// <summary>Sums the bytes that are kept now.</summary>
    /// <param name="tenant">Of one tenant, or of all.</param>
    /// <param name="except">One that does not count.</param>
    public long SumBytes(string? tenant, ContextLease? except = null)
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            return _kept.Sum(entry => entry.Key != except && (tenant is null || entry.Key.Tenant == tenant) && entry.Value.Until > now ? entry.Value.Bytes : 0);
        }
    }

    /// <summary>Keeps a lease, or does not any more.</summary>
    /// <param name="lease">The lease.</param>
    /// <param name="bytes">Its pages' bytes.</param>
    /// <param name="until">Until when; <see langword="null"/> where it is not pinned.</param>
    /// <param name="budgets">The budgets.</param>
    /// <returns>
    /// Whether it is kept: not where the share would be exceeded, nor where somebody waits for more than would be left: he would wait for ever
    /// (invariant 10).
    /// </returns>
    public bool TryKeep(ContextLease lease, long bytes, DateTimeOffset? until, KvBudgets budgets)
    {
        lock (_gate)
        {
            _kept.Remove(lease);
            var all = budgets.FindAllOf(lease.Tenant);
            if (until is not { } end || end <= time.GetUtcNow() || all.Any(one => bytes > MostOf(one.Budget) - SumBytes(one.Payer)))
            {
                return false;
            }

            // Entered first, so that who is queued meanwhile sees it.
            _kept[lease] = (bytes, end);
            if (all.All(one => one.Budget.FitsAllWaiters(SumBytes(one.Payer))))
            {
                return true;
            }

            _kept.Remove(lease);
            return false;
        }
    }

    /// <summary>Forgets a lease that is closed.</summary>
    /// <param name="lease">The lease.</param>
    public void Forget(ContextLease lease)
    {
        lock (_gate)
        {
            _kept.Remove(lease);
        }
    }

    /// <summary>Refuses a pin that could keep nothing here.</summary>
    /// <param name="context">The context, for the message.</param>
    /// <param name="tenant">Who pays for its pages.</param>
    /// <param name="lease">Its lease, where it has one.</param>
    /// <param name="bytes">Its pages' bytes.</param>
    /// <param name="budgets">The budgets.</param>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.KvBudgetExceeded"/>: the share would be exceeded.</exception>
    public void RequireRoom(string context, string tenant, ContextLease? lease, long bytes, KvBudgets budgets)
    {
        foreach (var (budget, payer) in budgets.FindAllOf(tenant))
        {
            var (most, others) = (MostOf(budget), SumBytes(payer, lease));
            if (bytes > most - others)
            {
                throw new GranaryException(
                    ErrorCodes.KvBudgetExceeded,
                    $"'{context}' has {bytes} bytes of KV; pinned contexts{(payer is null ? "" : $" of the tenant '{payer}'")} may keep {most} bytes here, and others keep {others}.",
                    $"Unpin a context, or raise Granary:Residency:PinnedShare or {(payer is null ? "Granary:Residency:BudgetBytes" : $"Granary:Tenants:{payer}:ResidentBytes")}.");
            }
        }
    }

    private long MostOf(KvBudget budget) => (long)(budget.TotalBytes * share);
}
