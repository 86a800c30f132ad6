using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Draining;

/// <summary>How this silo leaves: it takes nothing new, what runs goes on for a while, and each activation goes when nothing of it runs any more (DESIGN §5).</summary>
/// <remarks>Nothing is flushed: all that was acknowledged is stored. What is asked of an activation that has gone is placed on another silo. Thread-safe.</remarks>
public sealed partial class SiloDrain
{
    // Beside the changes that are told: an activation that was made meanwhile, and has no stream, is found by it.
    private static readonly TimeSpan Round = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan MostAnnouncement = TimeSpan.FromSeconds(1);

    // A poll of a stream that is ended holds its activation for half of a call's time.
    private static readonly TimeSpan MostDeactivation = TimeSpan.FromSeconds(10);
    private readonly ConcurrentDictionary<ActivationWork, bool> _activations = [];
    private readonly IOptions<DrainOptions> _options;
    private readonly TimeProvider _time;
    private readonly ILogger<SiloDrain> _logger;
    private readonly TaskCompletionSource _drained = NewSignal();
    private TaskCompletionSource _changed = NewSignal();
    private int _begun;
    private int _open;
    private int _streams;

    /// <summary>Creates the drain of a silo that serves.</summary>
    /// <param name="options">How long streams may go on.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The log.</param>
    internal SiloDrain(IOptions<DrainOptions> options, TimeProvider time, ILogger<SiloDrain> logger) => (_options, _time, _logger) = (options, time, logger);

    /// <summary>Gets whether the silo is leaving, or ready to.</summary>
    public bool IsDraining => Volatile.Read(ref _begun) != 0;

    /// <summary>Gets whether nothing is left to wait for: the silo may stop.</summary>
    public bool IsDrained => _drained.Task.IsCompleted;

    /// <summary>Gets a task that ends when the silo has been drained, whoever asked for it.</summary>
    public Task Drained => _drained.Task;

    /// <summary>Gets the activations of contexts.</summary>
    internal int Contexts => _activations.Keys.Count(static work => work.IsContext);

    /// <summary>Gets the streams that callers have open.</summary>
    internal int Streams => Volatile.Read(ref _streams);

    /// <summary>Gets or sets what tells the other silos.</summary>
    internal Func<Task> Announce { get; set; } = static () => Task.CompletedTask;

    /// <summary>Drains the silo, or joins the drain that runs.</summary>
    /// <returns>A task that ends when the silo may stop. It does not fail.</returns>
    public Task DrainAsync()
    {
        if (Interlocked.Exchange(ref _begun, 1) == 0)
        {
            _ = Task.Run(DrainOnceAsync);
        }

        return Drained;
    }

    /// <summary>Enters an activation, until it ends.</summary>
    /// <param name="activation">The activation.</param>
    /// <param name="isContext">Whether it is a context's.</param>
    internal ActivationWork Register(IGrainContext activation, bool isContext = false)
    {
        var work = new ActivationWork(this, activation, isContext);
        _activations[work] = true;
        _ = activation.Deactivated.ContinueWith(_ => _activations.TryRemove(work, out bool _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return work;
    }

    internal void NoteBegun(bool isStream)
    {
        Interlocked.Increment(ref _open);
        if (isStream)
        {
            Interlocked.Increment(ref _streams);
        }
    }

    internal void NoteEnded(bool isStream)
    {
        if (isStream)
        {
            Interlocked.Decrement(ref _streams);
        }

        if (Interlocked.Decrement(ref _open) == 0)
        {
            Volatile.Read(ref _changed).TrySetResult();
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task DrainOnceAsync()
    {
        try
        {
            var (started, timeout) = (_time.GetTimestamp(), _options.Value.Timeout);
            Log.Began(_logger, Streams, Contexts, timeout);
            await AnnounceAsync(); // first: what is deactivated before would be placed here again
            await EndIdleAsync(started, timeout);
            var left = Volatile.Read(ref _open);
            if (left > 0)
            {
                Log.TimedOut(_logger, left, timeout);
            }

            await EndAllAsync();
            Log.Ended(_logger, _time.GetElapsedTime(started).TotalSeconds);
        }
        catch (Exception e)
        {
            // The edge of a task that nobody awaits: a silo that cannot drain must stop all the same.
            Log.Failed(_logger, e);
        }

        _drained.TrySetResult();
        await AnnounceAsync();
    }

    private async Task AnnounceAsync()
    {
        try
        {
            await Announce().WaitAsync(MostAnnouncement, _time);
        }
        catch (TimeoutException)
        {
            // A silo that does not answer is told with the next round.
        }
    }

    private async Task EndIdleAsync(long started, TimeSpan timeout)
    {
        while (true)
        {
            Volatile.Write(ref _changed, NewSignal());
            foreach (var work in _activations.Keys)
            {
                work.EndIfIdle();
            }

            var left = timeout - _time.GetElapsedTime(started);
            if (Volatile.Read(ref _open) == 0 || left <= TimeSpan.Zero)
            {
                return;
            }

            await Task.WhenAny(_changed.Task, Task.Delay(left < Round ? left : Round, _time));
        }
    }

    private async Task EndAllAsync()
    {
        try
        {
            await Task.WhenAll(_activations.Keys.Select(EndAsync)).WaitAsync(MostDeactivation, _time);
        }
        catch (TimeoutException)
        {
            // They end with the silo.
        }

        async Task EndAsync(ActivationWork work)
        {
            await work.EndAsync();
            _activations.TryRemove(work, out _); // its own continuation may run after this one
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.DrainBegan, LogLevel.Information, "This silo drains: {Streams} streams on {Contexts} contexts may go on for up to {Timeout}; nothing new is placed here")]
        public static partial void Began(ILogger logger, int streams, int contexts, TimeSpan timeout);

        [LoggerMessage(EventIds.Drained, LogLevel.Information, "This silo is drained, after {Seconds:F2} s")]
        public static partial void Ended(ILogger logger, double seconds);

        [LoggerMessage(EventIds.DrainTimedOut, LogLevel.Warning, "{Left} streams and creations still ran after {Timeout} and are broken off; callers take them up on another silo. Raise Granary:Silo:DrainTimeout where that comes too soon")]
        public static partial void TimedOut(ILogger logger, int left, TimeSpan timeout);

        [LoggerMessage(EventIds.DrainFailed, LogLevel.Error, "Draining failed: the silo stops without. Report it")]
        public static partial void Failed(ILogger logger, Exception error);
    }
}
