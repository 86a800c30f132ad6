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
    private readonly Dictionary<ContextLease, (long Bytes, DateTimeOffset Until)> _kept = [];
    private readonly ConcurrentDictionary<long, DeviceWork> _work = [];
    private readonly TimeProvider _time;
    private readonly ILogger<KvRegistry> _logger;
    private readonly double _pinnedShare;
    private long _uses;
    private long _numbers;

    public KvRegistry(IOptions<ResidencyOptions> options, TimeProvider time, ILogger<KvRegistry> logger)
    {
        (_time, _logger, _pinnedShare) = (time, logger, options.Value.PinnedShare);
        Budget = new KvBudget(options.Value.GetBudgetBytes(), Reclaim) { Kept = SumKept };
    }

    /// <summary>Gets the bytes that may be and are held.</summary>
    public KvBudget Budget { get; }

    /// <summary>Gets the pages that contexts share, by chunk hash.</summary>
    public KvPageTable Pages { get; } = new();

    /// <summary>Gets the single flights of pages that are being read or computed.</summary>
    public PageFlights Flights { get; } = new();

    /// <summary>Opens a lease. It is closed when its owner's activation ends, whatever the grain does (invariant 9).</summary>
    /// <param name="owner">The context grain's activation.</param>
    /// <param name="reclaimFirst">Whether it is to be reclaimed before all others, as a precomputed context is.</param>
    public ContextLease Open(IGrainContext owner, bool reclaimFirst)
    {
        var lease = new ContextLease(this);
        lock (_gate)
        {
            lease.LastUse = reclaimFirst ? -1 : ++_uses;
            _leases.Add(lease);
        }

        _ = owner.Deactivated.ContinueWith(
            static (_, state) => ((ContextLease)state!).Close(), lease, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return lease;
    }

    /// <summary>Refuses a pin that could keep nothing here: pinned contexts may have a share of the budget only.</summary>
    /// <param name="context">The context, for the message.</param>
    /// <param name="lease">Its lease, where it has one.</param>
    /// <param name="bytes">Its pages' bytes.</param>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.KvBudgetExceeded"/>: the share would be exceeded.</exception>
    public void RequireKeepable(string context, ContextLease? lease, long bytes)
    {
        var (most, others) = (MostKept, SumKept(except: lease));
        if (bytes > most - others)
        {
            throw new GranaryException(
                ErrorCodes.KvBudgetExceeded,
                $"'{context}' has {bytes} bytes of KV; pinned contexts may keep {most} bytes here, and others keep {others}.",
                "Unpin a context, or raise Granary:Residency:PinnedShare or Granary:Residency:BudgetBytes.");
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
        }
    }

    // Not where the share of pinned contexts would be exceeded, nor where somebody waits for more than would be left: he would wait for ever (invariant 10).
    // Entered first, so that who is queued meanwhile sees it.
    internal bool TryKeep(ContextLease lease, long bytes, DateTimeOffset? until)
    {
        lock (_gate)
        {
            _kept.Remove(lease);
            if (until is not { } end || end <= _time.GetUtcNow() || bytes > MostKept - SumKept(except: lease))
            {
                return false;
            }

            _kept[lease] = (bytes, end);
            if (Budget.FitsAllWaiters(SumKept(except: null)))
            {
                return true;
            }

            _kept.Remove(lease);
            return false;
        }
    }

    private long MostKept => (long)(Budget.TotalBytes * _pinnedShare);

    private long SumKept() => SumKept(except: null);

    private long SumKept(ContextLease? except)
    {
        lock (_gate)
        {
            var now = _time.GetUtcNow();
            return _kept.Sum(entry => entry.Key != except && entry.Value.Until > now ? entry.Value.Bytes : 0);
        }
    }

    // Least recently used first, and only leases that nobody reads: no grain turn, no I/O, everything is stored already.
    private long Reclaim(long bytes)
    {
        ContextLease[] candidates;
        lock (_gate)
        {
            var now = _time.GetUtcNow();
            candidates = [.. _leases.Where(lease => !(_kept.TryGetValue(lease, out var kept) && kept.Until > now)).OrderBy(static lease => lease.LastUse)];
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
