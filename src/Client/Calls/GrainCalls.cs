using System.Runtime.CompilerServices;
using Granary.Client.Connection;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;

namespace Granary.Client.Calls;

/// <summary>The one way that this library calls grains: errors translated, what may be repeated retried, cancellation heard.</summary>
internal sealed partial class GrainCalls
{
    // A cluster that serves no such model says so soon; a silo that has just joined may not have heard of the others yet.
    private static readonly TimeSpan MostNoWorker = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);
    private static readonly ResiliencePropertyKey<long> FirstFailure = new("granary.first-failure");
    private static readonly ResiliencePropertyKey<long> FirstNoWorker = new("granary.first-no-worker");
    private readonly TimeProvider _time;
    private readonly TimeSpan _retryFor;
    private readonly GatewayLosses _losses;
    private readonly ResiliencePipeline _retries;

    /// <summary>Makes calls.</summary>
    /// <param name="time">The clock of the pauses between tries.</param>
    /// <param name="retryFor">How long after a call's first failure it is tried again; zero for not at all.</param>
    /// <param name="losses">Tells when a call may have been lost.</param>
    /// <param name="logger">Hears of each try that failed.</param>
    public GrainCalls(TimeProvider time, TimeSpan retryFor, GatewayLosses losses, ILogger logger)
    {
        (_time, _retryFor, _losses) = (time, retryFor, losses);

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
                OnRetry = arguments =>
                {
                    var error = arguments.Outcome.Exception!;
                    Log.TriedAgain(logger, arguments.AttemptNumber + 1, error.GetType().Name, error.Message, arguments.RetryDelay.TotalSeconds);
                    return default;
                },
            })
            .Build();
    }

    /// <summary>Gets the clock.</summary>
    public TimeProvider Time => _time;

    /// <inheritdoc cref="CallAsync{T}(Func{CancellationToken, Task{T}}, CancellationToken)"/>
    public Task<T> CallAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken) => CallAsync(_ => call(), cancellationToken);

    /// <summary>Calls, and calls again where the cluster did not answer: the call only reads, sets, or has an id under which it counts once.</summary>
    /// <typeparam name="T">The result.</typeparam>
    /// <param name="call">The grain call, with the token that ends it where its result is not wanted any more.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>The result.</returns>
    public async Task<T> CallAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            return await _retries.ExecuteAsync(async token => await TwiceWhereLostAsync(call, token).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (CallErrors.TryTranslate(e, out var translated, cancellationToken))
        {
            throw translated;
        }
    }

    /// <summary>Enumerates a grain's stream, and opens it again where it breaks: its silo died, or left.</summary>
    /// <typeparam name="T">The element.</typeparam>
    /// <param name="open">Opens the stream, from where it broke or from its start; called anew after each break.</param>
    /// <param name="isTold">Tells whether an element says nothing new, as the first ones of a stream that was opened again: it is left out, and no sign that the cluster goes on.</param>
    /// <param name="cancellationToken">Ends the stream at the grain, too.</param>
    /// <returns>The elements of all openings, one after the other, each of them new.</returns>
    public async IAsyncEnumerable<T> ReopenAsync<T>(
        Func<CancellationToken, IAsyncEnumerable<T>> open,
        Func<T, bool> isTold,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        StreamOpening<T>? stream = null;
        try
        {
            while (await MoveOnAsync().ConfigureAwait(false))
            {
                yield return stream!.Current;
            }
        }
        finally
        {
            if (stream is not null)
            {
                await stream.DisposeAsync().ConfigureAwait(false);
            }
        }

        async ValueTask<bool> MoveOnAsync()
        {
            try
            {
                return await MoveNextAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (CallErrors.IsTransient(e))
            {
                return await RetryAsync(e, MoveNextAsync, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (CallErrors.TryTranslate(e, out var translated, cancellationToken))
            {
                throw translated;
            }
        }

        async ValueTask<bool> MoveNextAsync(CancellationToken token)
        {
            stream ??= new StreamOpening<T>(open, token);
            try
            {
                bool moved;
                do
                {
                    (stream, moved) = await MoveWhereHeardAsync(stream, open, token).ConfigureAwait(false);
                }
                while (moved && isTold(stream.Current));
                return moved;
            }
            catch (Exception e) when (CallErrors.IsTransient(e))
            {
                stream.Leave();
                stream = null;
                throw;
            }
        }
    }

    // A stream that hears nothing after a connection has ended is opened once more beside itself: where it only waits its turn, it keeps its place.
    private async ValueTask<(StreamOpening<T> Stream, bool Moved)> MoveWhereHeardAsync<T>(StreamOpening<T> stream, Func<CancellationToken, IAsyncEnumerable<T>> open, CancellationToken cancellationToken)
    {
        var lost = _losses.Next;
        var move = stream.MoveNextAsync();
        if (move.IsCompleted)
        {
            return (stream, await move.ConfigureAwait(false));
        }

        var first = move.AsTask();
        if (!await IsSilentAsync(first, lost).ConfigureAwait(false))
        {
            return (stream, await first.ConfigureAwait(false));
        }

        var again = new StreamOpening<T>(open, cancellationToken);
        var second = MoveAgainAsync();
        var taken = await TakeAsync(first, second).ConfigureAwait(false);
        if (taken == second && taken.IsCompletedSuccessfully)
        {
            stream.Leave();
            return (again, await taken.ConfigureAwait(false));
        }

        again.Leave();
        return (stream, await taken.ConfigureAwait(false));

        async Task<bool> MoveAgainAsync() => await again.MoveNextAsync().ConfigureAwait(false);
    }

    private async Task<T> TwiceWhereLostAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        using var leavingFirst = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var lost = _losses.Next;
        var first = call(leavingFirst.Token).WaitAsync(cancellationToken);
        if (!await IsSilentAsync(first, lost).ConfigureAwait(false))
        {
            return await first.ConfigureAwait(false);
        }

        using var leavingSecond = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var second = CallAgainAsync();
        var taken = await TakeAsync(first, second).ConfigureAwait(false);
        await (taken == first ? leavingSecond : leavingFirst).CancelAsync().ConfigureAwait(false);
        return await taken.ConfigureAwait(false);

        async Task<T> CallAgainAsync() => await call(leavingSecond.Token).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask<bool> IsSilentAsync(Task answer, Task lost) => _retryFor > TimeSpan.Zero && await Task.WhenAny(answer, lost).ConfigureAwait(false) == lost && !answer.IsCompleted;

    // Whichever ends first: where the second fails, too, the first is lost. Where the first has failed, the second, whatever becomes of it.
    private static async Task<Task<T>> TakeAsync<T>(Task<T> first, Task<T> second)
    {
        if (await Task.WhenAny(first, second).ConfigureAwait(false) == first && first.IsCompletedSuccessfully)
        {
            return first;
        }

        await Task.WhenAny(second).ConfigureAwait(false);
        return second;
    }

    // Retries come into play with the first failure: what they cost beside a token that arrives, each token would pay.
    private async ValueTask<T> RetryAsync<T>(Exception failure, Func<CancellationToken, ValueTask<T>> call, CancellationToken cancellationToken)
    {
        Exception? first = failure;
        try
        {
            return await _retries.ExecuteAsync(token => Interlocked.Exchange(ref first, null) is { } failed ? ValueTask.FromException<T>(failed) : call(token), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (CallErrors.TryTranslate(e, out var translated, cancellationToken))
        {
            throw translated;
        }
    }

    private bool IsRetried(RetryPredicateArguments<object> arguments)
    {
        var (error, context) = (arguments.Outcome.Exception, arguments.Context);
        return error is not null && !context.CancellationToken.IsCancellationRequested && CallErrors.IsTransient(error)
            && IsWithin(FirstFailure, _retryFor, context)
            && (!CallErrors.SaysNoWorker(error) || IsWithin(FirstNoWorker, MostNoWorker, context));
    }

    private bool IsWithin(ResiliencePropertyKey<long> first, TimeSpan most, ResilienceContext context)
    {
        if (!context.Properties.TryGetValue(first, out var began))
        {
            context.Properties.Set(first, began = _time.GetTimestamp());
        }

        return _time.GetElapsedTime(began) < most;
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.TriedAgain, LogLevel.Information, "Try {Attempt} of a call failed ({Error}: {Message}); the next one is in {Seconds:F2} s")]
        public static partial void TriedAgain(ILogger logger, int attempt, string error, string message, double seconds);
    }
}
