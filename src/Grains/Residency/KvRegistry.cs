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
    private readonly ConcurrentDictionary<long, DeviceWork> _work = [];
    private readonly ILogger<KvRegistry> _logger;
    private long _uses;
    private long _numbers;

    public KvRegistry(IOptions<ResidencyOptions> options, ILogger<KvRegistry> logger)
    {
        _logger = logger;
        Budget = new KvBudget(options.Value.GetBudgetBytes(), Reclaim);
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
        }
    }

    // Least recently used first, and only leases that nobody reads: no grain turn, no I/O, everything is stored already.
    private long Reclaim(long bytes)
    {
        ContextLease[] candidates;
        lock (_gate)
        {
            candidates = [.. _leases.OrderBy(static lease => lease.LastUse)];
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
