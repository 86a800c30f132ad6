using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Granary.Grains.Transitions;

/// <summary>Work of one caller that is told how far it is.</summary>
internal static class FollowedWork
{
    /// <summary>Runs work on the caller's scheduler, and gives its newest progress as it comes. Leaving cancels it, and waits until it has let go of everything.</summary>
    /// <typeparam name="T">The work's result.</typeparam>
    /// <param name="work">The work; it is handed a report.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <returns>Progress; the last element has the result.</returns>
    public static async IAsyncEnumerable<(int Done, T? Result)> RunAsync<T>(Func<Action<int>, CancellationToken, Task<T>> work, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class
    {
        // A caller who is slow needs the newest only.
        var steps = Channel.CreateBounded<int>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var running = work(done => steps.Writer.TryWrite(done), stopping.Token);
        _ = running.ContinueWith(_ => steps.Writer.TryComplete(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        try
        {
            await foreach (var done in steps.Reader.ReadAllAsync(cancellationToken))
            {
                yield return (done, null);
            }

            yield return (0, await running);
        }
        finally
        {
            await stopping.CancelAsync();
            await Task.WhenAny(running);
        }
    }
}
