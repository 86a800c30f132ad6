using Granary.Errors;
using Granary.Grains.Draining;
using Granary.Grains.Errors;
using Granary.Grains.Placement;
using Granary.Grains.Transitions;
using Granary.Naming;
using Granary.Storage.Maintenance;
using Granary.Storage.Objects;
using Granary.Stores;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;

namespace Granary.Grains.Stores;

/// <summary>Runs checks and sweeps of a tenant's objects, one of each kind at a time, for as many callers as want to watch.</summary>
[AvoidDraining, Reentrant]
internal sealed partial class SweepGrain(
    IGrainContext activation, SiloDrain drain, IObjectStore store, IOptions<SweepOptions> schedule, TimeProvider time, ILogger<SweepGrain> logger) : Grain, ISweepGrain, IRemindable
{
    private const string ReminderName = "sweep";
    private readonly ActivationWork _work = drain.Register(activation);
    private readonly CancellationTokenSource _stopping = new();
    private (bool Repair, SharedTransition<StoreCheckStatus, StoreCheckStatus> Work)? _check;
    private (StoreSweepRequest Request, SharedTransition<StoreSweepStatus, StoreSweepStatus> Work)? _sweep;

    private string Tenant => Names.Check("tenant", this.GetPrimaryKeyString());

    /// <inheritdoc/>
    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) => _stopping.CancelAsync();

    /// <inheritdoc/>
    public IAsyncEnumerable<StoreCheckStatus> CheckAsync(bool repair, CancellationToken cancellationToken)
    {
        if (_check is not { Work.IsRunning: true } running)
        {
            running = (repair, Start<StoreCheckStatus>(async (report, stopping) =>
            {
                var last = new StoreCheckStatus(0, 0);
                var found = await new StoreCheck(store, time).RunAsync(Tenant, repair, at => report(last = new StoreCheckStatus(at.Done, at.Total)), stopping);
                return last with { Done = last.Total, Result = Describe(found) };
            }));
            _check = running;
        }
        else if (running.Repair != repair)
        {
            throw Busy("A check");
        }

        return _work.ServeAsync(running.Work.WatchAsync(cancellationToken));
    }

    /// <inheritdoc/>
    public async Task ScheduleAsync()
    {
        // One that is there keeps its time: silos that start more often than it ticks must not put it off for ever.
        if (schedule.Value.Period > TimeSpan.Zero && await this.GetReminder(ReminderName) is null)
        {
            await this.RegisterOrUpdateReminder(ReminderName, schedule.Value.Period, schedule.Value.Period);
        }
    }

    /// <inheritdoc/>
    public async Task ReceiveReminder(string reminderName, TickStatus status)
    {
        if (schedule.Value.Period == TimeSpan.Zero)
        {
            if (await this.GetReminder(reminderName) is { } reminder)
            {
                await this.UnregisterReminder(reminder); // it was registered under another setting
            }

            return;
        }

        if (_sweep is { Work.IsRunning: true })
        {
            return;
        }

        DelayDeactivation(schedule.Value.Period); // nobody calls meanwhile; a sweep that is cut off all the same goes on with the next reminder
        var request = new StoreSweepRequest(DryRun: false, schedule.Value.Grace, schedule.Value.DeletesPerSecond);
        _ = EndAsync(Begin(request, outlivesCallers: true));
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<StoreSweepStatus> SweepAsync(StoreSweepRequest request, CancellationToken cancellationToken)
    {
        var work = _sweep is not { Work.IsRunning: true } running ? Begin(request) : running.Request == request ? running.Work : throw Busy("A sweep");
        return _work.ServeAsync(work.WatchAsync(cancellationToken));
    }

    private SharedTransition<StoreSweepStatus, StoreSweepStatus> Begin(StoreSweepRequest request, bool outlivesCallers = false)
    {
        var options = new StoreSweepOptions(
            request.Grace ?? StoreSweepOptions.DefaultGrace, request.DryRun, request.MostDeletesPerSecond ?? StoreSweepOptions.DefaultDeletesPerSecond);
        if (options.Grace < TimeSpan.Zero || options.MostDeletesPerSecond < 1)
        {
            throw new GranaryException(
                ErrorCodes.InvalidArgument, $"The grace is {options.Grace}, with {options.MostDeletesPerSecond} deletes a second.", "Give a grace of 0 or more and at least 1 delete a second.");
        }

        var work = Start<StoreSweepStatus>(
            async (report, stopping) =>
            {
                var last = new StoreSweepStatus(0, 0);
                var found = await new StoreSweep(store, time).RunAsync(Tenant, options, at => report(last = new StoreSweepStatus(at.Done, at.Total)), stopping);
                return last with { Done = last.Total, Result = Describe(found) };
            },
            outlivesCallers);
        _sweep = (request, work);
        return work;
    }

    private async Task EndAsync(SharedTransition<StoreSweepStatus, StoreSweepStatus> work)
    {
        try
        {
            if ((await work.JoinAsync(CancellationToken.None)).Result is { } result)
            {
                Log.Ended(logger, Tenant, result.Expired, result.DeletedChunks, result.DeletedBytes, result.Unreadable.Length);
            }
        }
        catch (Exception e) when (ErrorEdge.IsForeign(e) || e is GranaryException or OperationCanceledException)
        {
            Log.Failed(logger, Tenant, e.Message);
        }
    }

    // The work runs beside this grain's turns; its progress comes back to them, each tenth of a second at most.
    private SharedTransition<T, T> Start<T>(Func<Action<T>, CancellationToken, Task<T>> work, bool outlivesCallers = false) => SharedTransition<T, T>.Start(
        async (transition, stopping) =>
        {
            if (outlivesCallers)
            {
                transition.OutliveCallers();
            }

            var latest = new LatestProgress<T>();
            var running = Task.Run(() => work(latest.Set, stopping), CancellationToken.None);
            using var ticks = new PeriodicTimer(TimeSpan.FromMilliseconds(100), time);
            var tick = ticks.WaitForNextTickAsync(CancellationToken.None).AsTask();
            while (await Task.WhenAny(running, tick) != running)
            {
                if (latest.Take(out var progress))
                {
                    transition.Report(progress);
                }

                tick = ticks.WaitForNextTickAsync(CancellationToken.None).AsTask();
            }

            var result = await running;
            transition.Report(result);
            return result;
        },
        _stopping.Token,
        latestOnly: true);

    private static StoreCheckResult Describe(StoreCheckReport found) => new(
        found.Contexts,
        found.Chunks,
        found.ChunkBytes,
        found.Faults.Count,
        found.Faults.Count(static fault => fault.Repaired),
        [.. found.Faults.Take(StoreCheckResult.MostFaults).Select(static fault => new StoreFaultDescription(fault.Key, fault.Kind, fault.Reason, fault.Context, fault.Repaired))]);

    private static StoreSweepResult Describe(StoreSweepReport found) => new()
    {
        Contexts = found.Contexts,
        Expired = found.Expired,
        Tombstones = found.Tombstones,
        Chunks = found.Chunks,
        ChunkBytes = found.ChunkBytes,
        UnreferencedChunks = found.UnreferencedChunks,
        UnreferencedBytes = found.UnreferencedBytes,
        DeletedChunks = found.DeletedChunks,
        DeletedBytes = found.DeletedBytes,
        Unreadable = [.. found.Unreadable.Take(StoreCheckResult.MostFaults)],
        TokenBlobs = found.TokenBlobs,
        TokenBlobBytes = found.TokenBlobBytes,
        UnreferencedTokenBlobs = found.UnreferencedTokenBlobs,
        UnreferencedTokenBlobBytes = found.UnreferencedTokenBlobBytes,
        DeletedTokenBlobs = found.DeletedTokenBlobs,
        DeletedTokenBlobBytes = found.DeletedTokenBlobBytes,
    };

    private static GranaryException Busy(string what) => new(ErrorCodes.Unavailable, $"{what} runs already, with other options.", "Wait until it has ended.");

    private static partial class Log
    {
        [LoggerMessage(EventIds.SweepEnded, LogLevel.Information, "Tenant {Tenant} was swept: {Expired} contexts expired, {Chunks} chunks of {Bytes} bytes deleted; {Unreadable} manifests cannot be trusted")]
        public static partial void Ended(ILogger logger, string tenant, int expired, int chunks, long bytes, int unreadable);

        [LoggerMessage(EventIds.SweepFailed, LogLevel.Warning, "The sweep of tenant {Tenant} ended early ({Reason}); the next one goes on")]
        public static partial void Failed(ILogger logger, string tenant, string reason);
    }

    // Progress of work on other threads.
    private sealed class LatestProgress<T>
    {
        private readonly Lock _gate = new();
        private T? _value;
        private bool _fresh;

        public void Set(T value)
        {
            lock (_gate)
            {
                (_value, _fresh) = (value, true);
            }
        }

        public bool Take(out T value)
        {
            lock (_gate)
            {
                value = _value!;
                (var fresh, _fresh) = (_fresh, false);
                return fresh;
            }
        }
    }
}
