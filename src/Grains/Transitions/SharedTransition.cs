using System.Runtime.CompilerServices;

namespace Granary.Grains.Transitions;

/// <summary>One long piece of work of a grain that any number of callers join and leave (invariant 8).</summary>
/// <remarks>
/// Not thread-safe: it lives on its grain's scheduler. A caller's cancellation only leaves it; the last one leaving cancels it, until
/// <see cref="OutliveCallers"/> has been called.
/// </remarks>
internal sealed class SharedTransition<TProgress, TResult>
{
    private readonly CancellationTokenSource _stopping;
    private readonly List<TProgress> _progress = [];
    private TaskCompletionSource _changed = NewSignal();
    private Task<TResult>? _work;
    private readonly bool _latestOnly;
    private int _dropped;
    private int _callers;
    private bool _outlivesCallers;
    private IDisposable? _held;

    private SharedTransition(bool latestOnly, CancellationToken stopping)
    {
        _latestOnly = latestOnly;
        _stopping = CancellationTokenSource.CreateLinkedTokenSource(stopping);
    }

    /// <summary>Gets whether the work has ended, well or not.</summary>
    public bool IsCompleted => _work is { IsCompleted: true };

    /// <summary>Gets whether it can be joined: it has neither ended nor been cancelled.</summary>
    public bool IsRunning => !IsCompleted && !_stopping.IsCancellationRequested;

    /// <summary>Starts the work on the caller's scheduler.</summary>
    /// <param name="work">The work.</param>
    /// <param name="stopping">Cancels it for everybody.</param>
    /// <param name="latestOnly">Whether a caller needs the newest progress only, as where each tells the whole state.</param>
    public static SharedTransition<TProgress, TResult> Start(
        Func<SharedTransition<TProgress, TResult>, CancellationToken, Task<TResult>> work, CancellationToken stopping, bool latestOnly = false)
    {
        var transition = new SharedTransition<TProgress, TResult>(latestOnly, stopping);
        transition._work = transition.RunAsync(work);
        return transition;
    }

    /// <summary>Tells all callers how far the work is. Called by the work.</summary>
    public void Report(TProgress progress)
    {
        if (_latestOnly && _progress.Count > 0)
        {
            _progress.Clear();
            _dropped++;
        }

        _progress.Add(progress);
        Signal();
    }

    /// <summary>From now on the work goes on when every caller has left. Called by the work.</summary>
    public void OutliveCallers() => _outlivesCallers = true;

    /// <summary>Keeps something until every caller that has joined by now has left, so that what the work brought cannot vanish before they take it. Called by the work, at its end.</summary>
    public void HoldForCallers(IDisposable held)
    {
        if (_callers == 0)
        {
            held.Dispose();
        }
        else
        {
            _held = held;
        }
    }

    /// <summary>Cancels the work for everybody.</summary>
    public void Cancel()
    {
        if (!IsCompleted)
        {
            _stopping.Cancel();
        }
    }

    /// <summary>Joins the work and follows its progress, from the start.</summary>
    public async IAsyncEnumerable<TProgress> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        _callers++;
        try
        {
            for (var seen = 0; ; seen++)
            {
                seen = Math.Max(seen, _dropped);
                while (seen == _dropped + _progress.Count)
                {
                    if (IsCompleted)
                    {
                        await _work!;
                        yield break;
                    }

                    await Task.WhenAny(_work!, _changed.Task).WaitAsync(cancellationToken);
                }

                seen = Math.Max(seen, _dropped);
                yield return _progress[seen - _dropped];
            }
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Joins the work and waits for its result.</summary>
    public Task<TResult> JoinAsync(CancellationToken cancellationToken) => JoinAsync(static result => result, cancellationToken);

    /// <summary>Joins the work, waits for its result, and takes from it what the caller needs before leaving.</summary>
    public async Task<TTaken> JoinAsync<TTaken>(Func<TResult, TTaken> take, CancellationToken cancellationToken)
    {
        _callers++;
        try
        {
            return take(await _work!.WaitAsync(cancellationToken));
        }
        finally
        {
            Leave();
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task<TResult> RunAsync(Func<SharedTransition<TProgress, TResult>, CancellationToken, Task<TResult>> work)
    {
        // The starter has to be able to join before the work can end or report.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding | ConfigureAwaitOptions.ContinueOnCapturedContext);
        try
        {
            return await work(this, _stopping.Token);
        }
        finally
        {
            // Its registration with the activation's own source would live as long as the activation.
            _stopping.Dispose();
        }
    }

    private void Leave()
    {
        if (--_callers > 0)
        {
            return;
        }

        _held?.Dispose();
        _held = null;
        if (!_outlivesCallers)
        {
            Cancel();
        }
    }

    private void Signal()
    {
        var changed = _changed;
        _changed = NewSignal();
        changed.SetResult();
    }
}
