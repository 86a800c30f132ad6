using System.Runtime.CompilerServices;

namespace Granary.Client.Calls;

/// <summary>The one way that this library calls grains: errors translated, reads retried, cancellation heard.</summary>
/// <param name="time">The clock of the pauses between tries.</param>
internal sealed class GrainCalls(TimeProvider time)
{
    private const int ReadTries = 3;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(200);

    /// <summary>Calls once: the call changes something.</summary>
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

    /// <summary>Calls, and calls again where the cluster did not answer: the call only reads.</summary>
    /// <typeparam name="T">The result.</typeparam>
    /// <param name="call">The grain call.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>The result.</returns>
    public async Task<T> ReadAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                return await call().WaitAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (attempt < ReadTries && CallErrors.IsTransient(e) && !cancellationToken.IsCancellationRequested)
            {
                // Doubling, and jittered by half, so that the callers of a silo that died do not return in step.
                var pause = FirstPause * Math.Pow(2, attempt - 1) * (0.75 + (0.5 * Random.Shared.NextDouble()));
                await Task.Delay(pause, time, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (CallErrors.TryTranslate(e, out var translated, cancellationToken))
            {
                throw translated;
            }
        }
    }

    /// <summary>Enumerates a grain's stream.</summary>
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
            while (await MoveNextAsync(elements, cancellationToken).ConfigureAwait(false))
            {
                yield return elements.Current;
            }
        }
        finally
        {
            await CloseAsync(elements).ConfigureAwait(false);
        }
    }

    private static async ValueTask<bool> MoveNextAsync<T>(IAsyncEnumerator<T> elements, CancellationToken cancellationToken)
    {
        try
        {
            return await elements.MoveNextAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (CallErrors.TryTranslate(e, out var translated, cancellationToken))
        {
            throw translated;
        }
    }

    // The end of a stream whose silo is gone must not hide the error that ended it; the grain drops the enumerator by itself.
    private static async ValueTask CloseAsync<T>(IAsyncEnumerator<T> elements)
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
