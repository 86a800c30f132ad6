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
    private readonly ConcurrentDictionary<long, DeviceWork> _work = [];
    private readonly ILogger<KvRegistry> _logger;
    private readonly KeptLeases _kept;
    private readonly int _concurrentWrites;
    private readonly Lock _stagingGate = new(); // of its own: setting aside reclaims, which takes the locks of registry and leases
    private long _staging;
    private long _uses;
    private long _numbers;

    public KvRegistry(IOptions<ResidencyOptions> options, IOptions<TenantsOptions> tenants, TimeProvider time, ILogger<KvRegistry> logger)
    {
        _logger = logger;
        _concurrentWrites = options.Value.ConcurrentWrites;
        _kept = new KeptLeases(options.Value.PinnedShare, time);
        Budgets = new KvBudgets(options.Value.GetBudgetBytes(), tenants.Value, Reclaim, tenant => _kept.SumBytes(tenant));
    }

    /// <summary>Gets the bytes that may be and are held.</summary>
    public KvBudgets Budgets { get; }

    /// <summary>Gets those of the device.</summary>
    public KvBudget Budget => Budgets.Device;

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

    /// <summary>Sets aside what pages of a model are encoded into while they are written, where it has a codec: as many at a time as the silo writes chunks.</summary>
    /// <param name="layout">The model's pages.</param>
    /// <exception cref="Inference.Errors.InferenceException"><c>KvBudgetExceeded</c>: the budget is smaller.</exception>
    public void ReserveStaging(KvLayout layout)
    {
        lock (_stagingGate)
        {
            var needed = layout.Codec == KvCodec.None ? 0 : _concurrentWrites * layout.StoredBytesOf(layout.PageSize);
            if (needed > _staging)
            {
                Budget.SetAside(needed - _staging); // models take turns in writing: the largest pages count
                _staging = needed;
            }
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
    public void RequireKeepable(string context, string tenant, ContextLease? lease, long bytes) => _kept.RequireRoom(context, tenant, lease, bytes, Budgets);

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
            _owned.GetValueOrDefault(lease.Owner)?.Remove(lease);
        }

        _kept.Forget(lease);
    }

    internal bool TryKeep(ContextLease lease, long bytes, DateTimeOffset? until) => _kept.TryKeep(lease, bytes, until, Budgets);

    // Nobody reads a lease any more, or it is not kept any more: whoever waits looks again.
    internal void NoteReclaimable(ContextLease lease) => Budgets.NoteReclaimable(lease.Tenant);

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

    // Least recently used first, and only leases that nobody reads: no grain turn, no I/O, everything is stored already.
    private long Reclaim(long bytes, string? tenant)
    {
        ContextLease[] candidates;
        lock (_gate)
        {
            candidates = [.. _leases.Where(lease => (tenant is null || lease.Tenant == tenant) && !_kept.Contains(lease)).OrderBy(static lease => lease.LastUse)];
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
