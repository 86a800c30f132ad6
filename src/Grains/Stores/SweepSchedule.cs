using System.Collections.Concurrent;
using Granary.Stores;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Stores;

/// <summary>Sees to it that a tenant who stores something here is swept: its grain then has a reminder that outlives the silo.</summary>
internal sealed partial class SweepSchedule(IGrainFactory grains, IOptions<SweepOptions> options, TimeProvider time, ILogger<SweepSchedule> logger)
{
    // The table of reminders may come back empty. A look at it is one small read, beside creations.
    private static readonly TimeSpan LooksAgain = TimeSpan.FromSeconds(10);
    private readonly ConcurrentDictionary<string, long> _scheduled = new(StringComparer.Ordinal);

    /// <summary>Schedules the sweeps of a tenant, beside the caller's work, unless that was done here just before.</summary>
    /// <param name="tenant">The tenant.</param>
    public void Ensure(string tenant)
    {
        var now = time.GetTimestamp();
        if (options.Value.Period > TimeSpan.Zero
            && (_scheduled.TryGetValue(tenant, out var last) ? time.GetElapsedTime(last, now) >= LooksAgain && _scheduled.TryUpdate(tenant, now, last) : _scheduled.TryAdd(tenant, now)))
        {
            _ = Task.Run(() => ScheduleAsync(tenant));
        }
    }

    private async Task ScheduleAsync(string tenant)
    {
        try
        {
            await grains.GetGrain<ISweepGrain>(tenant).ScheduleAsync();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Whoever stores next tries again: nothing is lost but time. A silo that stops meanwhile, as a short command does, is no fault.
            _scheduled.TryRemove(tenant, out _);
            Log.NotScheduled(logger, tenant, e.Message);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.SweepNotScheduled, LogLevel.Information, "The sweeps of tenant {Tenant} could not be scheduled ({Reason}); the next creation tries again")]
        public static partial void NotScheduled(ILogger logger, string tenant, string reason);
    }
}
