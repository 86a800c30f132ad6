using System.Runtime.CompilerServices;
using Polly;
using Polly.Retry;

namespace Granary.Client.Calls;

/// <summary>The one way that this library calls grains: errors translated, what may be repeated retried, cancellation heard.</summary>
internal sealed class GrainCalls
{
    // A cluster that serves no such model says so soon; a silo that has just joined may not have heard of the others yet.
    private const int MostNoWorkerRetries = 3;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);
    private static readonly ResiliencePropertyKey<long> FirstFailure = new("granary.first-failure");
    private readonly TimeProvider _time;
    private readonly TimeSpan _retryFor;
    private readonly ResiliencePipeline _retries;

    /// <summary>Makes calls.</summary>
    /// <param name="time">The clock of the pauses between tries.</param>
    /// <param name="retryFor">How long after a call's first failure it is tried again; zero for not at all.</param>
    public GrainCalls(TimeProvider time, TimeSpan retryFor)
    {
        (_time, _retryFor) = (time, retryFor);

        // Doubling and jittered, so that the callers of a silo that died do not return in step.
        _retries = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions
            {
                MaxRetryAttempts = int.MaxValue, // the time bounds them
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = FirstPause,
                MaxDelay = LongestPause,
                ShouldHandle = arguments => ValueTask.FromResult(IsRetried(arguments)),
            })
            .Build();
    }

    /// <summary>Calls once: the call changes something each time.</summary>
    /// <typeparam name="T">The result.</typeparam>
    /// <param name="call">The grain call.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>The result.</returns>
    public static async Task<T> OnceAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            return await call().WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (CallErrors.TryTranslate(e, out var translated, cancellationToken))
        {
            throw translated;
        }
    }

    /// <summary>Calls, and calls again where the cluster did not answer: the call only reads, sets, or has an id under which it counts once.</summary>
    /// <typeparam name="T">The result.</typeparam>
    /// <param name="call">The grain call.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>The result.</returns>
    public async Task<T> CallAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            return await _retries.ExecuteAsync(async token => await call().WaitAsync(token).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (CallErrors.TryTranslate(e, out var translated, cancellationToken))
        {
            throw translated;
        }
    }

    /// <summary>Enumerates a grain's stream, once.</summary>
    /// <typeparam name="T">The element.</typeparam>
    /// <param name="call">Opens the stream with the token that cancels it.</param>
    /// <param name="cancellationToken">Ends the stream at the grain, too.</param>
    /// <returns>The elements.</returns>
    public static async IAsyncEnumerable<T> StreamAsync<T>(
        Func<CancellationToken, IAsyncEnumerable<T>> call,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var elements = call(cancellationToken).GetAsyncEnumerator(cancellationToken);
        try
        {
            while (await TranslateAsync(elements.MoveNextAsync(), cancellationToken).ConfigureAwait(false))
            {
                yield return elements.Current;
            }
        }
        finally
        {
            await CloseAsync(elements).ConfigureAwait(false);
        }
    }

    /// <summary>Enumerates a grain's stream, and opens it again where it breaks: its silo died, or left.</summary>
    /// <typeparam name="T">The element.</typeparam>
    /// <param name="open">Opens the stream, from where it broke or from its start; called anew after each break.</param>
    /// <param name="cancellationToken">Ends the stream at the grain, too.</param>
    /// <returns>The elements of all openings, one after the other.</returns>
    public async IAsyncEnumerable<T> ReopenAsync<T>(
        Func<CancellationToken, IAsyncEnumerable<T>> open,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        IAsyncEnumerator<T>? elements = null;
        var move = MoveNextAsync; // one delegate for all elements
        try
        {
            while (await TranslateAsync(_retries.ExecuteAsync(move, cancellationToken), cancellationToken).ConfigureAwait(false))
            {
                yield return elements!.Current;
            }
        }
        finally
        {
            if (elements is not null)
            {
                await CloseAsync(elements).ConfigureAwait(false);
            }
        }

        async ValueTask<bool> MoveNextAsync(CancellationToken token)
        {
            elements ??= open(token).GetAsyncEnumerator(token);
            try
            {
                return await elements.MoveNextAsync().ConfigureAwait(false);
            }
            catch (Exception e) when (CallErrors.IsTransient(e))
            {
                // Not waited for: where the silo is gone, that takes as long as a call may.
                _ = CloseAsync(elements);
                elements = null;
                throw;
            }
        }
    }

    private bool IsRetried(RetryPredicateArguments<object> arguments)
    {
        var (error, context) = (arguments.Outcome.Exception, arguments.Context);
        if (error is null || context.CancellationToken.IsCancellationRequested || !CallErrors.IsTransient(error)
            || (CallErrors.SaysNoWorker(error) && arguments.AttemptNumber >= MostNoWorkerRetries))
        {
            return false;
        }

        if (!context.Properties.TryGetValue(FirstFailure, out var failed))
        {
            context.Properties.Set(FirstFailure, failed = _time.GetTimestamp());
        }

        return _time.GetElapsedTime(failed) < _retryFor;
    }

    private static async ValueTask<bool> TranslateAsync(ValueTask<bool> move, CancellationToken cancellationToken)
    {
        try
        {
            return await move.ConfigureAwait(false);
        }
        catch (Exception e) when (CallErrors.TryTranslate(e, out var translated, cancellationToken))
        {
            throw translated;
        }
    }

    // The end of a stream whose silo is gone must not hide the error that ended it; the grain drops the enumerator by itself.
    private static async Task CloseAsync<T>(IAsyncEnumerator<T> elements)
    {
        try
        {
            await elements.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (CallErrors.IsTransient(e))
        {
        }
    }
}
