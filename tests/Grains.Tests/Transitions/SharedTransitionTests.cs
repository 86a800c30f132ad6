using Granary.Grains.Transitions;

namespace Granary.Grains.Tests.Transitions;

public sealed class SharedTransitionTests
{
    [Fact, Trait("Invariant", "8")]
    public async Task JoinAsync_LastCallerLeaves_CancelsTheWork()
    {
        var cancelled = new TaskCompletionSource();
        var transition = SharedTransition<int, int>.Start(
            async (_, stopping) =>
            {
                await using var registration = stopping.Register(cancelled.SetResult);
                await cancelled.Task;
                stopping.ThrowIfCancellationRequested();
                return 1;
            },
            CancellationToken.None);
        using var first = new CancellationTokenSource();
        using var second = new CancellationTokenSource();
        var joined = transition.JoinAsync(first.Token);
        var alsoJoined = transition.JoinAsync(second.Token);

        await first.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => joined);
        Assert.False(cancelled.Task.IsCompleted);

        await second.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => alsoJoined);
        await cancelled.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
    }

    [Fact, Trait("Invariant", "8")]
    public async Task JoinAsync_WorkOutlivesCallers_GoesOnWhenAllHaveLeft()
    {
        var go = new TaskCompletionSource();
        var started = new TaskCompletionSource();
        var transition = SharedTransition<int, int>.Start(
            async (self, stopping) =>
            {
                self.OutliveCallers();
                started.SetResult();
                await go.Task.WaitAsync(stopping);
                return 7;
            },
            CancellationToken.None);
        await started.Task;
        using var caller = new CancellationTokenSource();
        var joined = transition.JoinAsync(caller.Token);
        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => joined);

        go.SetResult();
        Assert.Equal(7, await transition.JoinAsync(CancellationToken.None));
    }

    [Fact]
    public async Task WatchAsync_LateCaller_SeesAllProgressAndTheError()
    {
        var transition = SharedTransition<int, int>.Start(
            async (self, _) =>
            {
                self.Report(1);
                await Task.Yield();
                self.Report(2);
                throw new InvalidDataException("broken");
            },
            CancellationToken.None);
        await Assert.ThrowsAsync<InvalidDataException>(() => transition.JoinAsync(CancellationToken.None));

        var seen = new List<int>();
        await Assert.ThrowsAsync<InvalidDataException>(async () =>
        {
            await foreach (var progress in transition.WatchAsync(CancellationToken.None))
            {
                seen.Add(progress);
            }
        });
        Assert.Equal([1, 2], seen);
    }

    [Fact]
    public async Task WatchAsync_LatestOnly_SkipsWhatANewerProgressReplaced()
    {
        var transition = SharedTransition<int, int>.Start(
            (self, _) =>
            {
                Enumerable.Range(1, 1000).ToList().ForEach(self.Report);
                return Task.FromResult(0);
            },
            CancellationToken.None,
            latestOnly: true);
        await transition.JoinAsync(CancellationToken.None);

        var seen = new List<int>();
        await foreach (var progress in transition.WatchAsync(CancellationToken.None))
        {
            seen.Add(progress);
        }

        Assert.Equal(1000, Assert.Single(seen));
    }

    [Fact, Trait("Invariant", "8")]
    public async Task IsRunning_Cancelled_IsNotJoinedByNewcomers()
    {
        var ended = new TaskCompletionSource();
        var transition = SharedTransition<int, int>.Start(
            async (_, _) =>
            {
                await ended.Task; // a step that does not see its cancellation yet
                return 1;
            },
            CancellationToken.None);
        Assert.True(transition.IsRunning);
        transition.Cancel();
        Assert.False(transition.IsCompleted);
        Assert.False(transition.IsRunning);
        ended.SetResult();
        await transition.JoinAsync(CancellationToken.None);
    }
}
