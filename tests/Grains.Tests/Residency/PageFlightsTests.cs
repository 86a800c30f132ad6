using Granary.Grains.Residency;

namespace Granary.Grains.Tests.Residency;

public sealed class PageFlightsTests
{
    private readonly PageFlights _flights = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact, Trait("Invariant", "8")]
    public async Task EnterAsync_SameHash_OneAtATime()
    {
        var (inside, most) = (0, 0);
        await Task.WhenAll(Enumerable.Range(0, 32).Select(async _ =>
        {
            using var turn = await _flights.EnterAsync("page", Cancelled);
            most = Math.Max(most, Interlocked.Increment(ref inside));
            await Task.Yield();
            Interlocked.Decrement(ref inside);
        }));
        Assert.Equal(1, most);
    }

    [Fact, Trait("Invariant", "8")]
    public async Task EnterAsync_OtherHash_DoesNotWait()
    {
        using var one = await _flights.EnterAsync("one", Cancelled);
        var other = _flights.EnterAsync("other", Cancelled);
        Assert.True(other.IsCompletedSuccessfully);
        (await other).Dispose();
    }

    [Fact, Trait("Invariant", "8")]
    public async Task EnterAsync_WaiterIsCancelled_LeavesAndTheNextEnters()
    {
        using var stopping = new CancellationTokenSource();
        var first = await _flights.EnterAsync("page", Cancelled);
        var cancelled = _flights.EnterAsync("page", stopping.Token);
        var next = _flights.EnterAsync("page", Cancelled);

        await stopping.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.False(next.IsCompleted);
        first.Dispose();
        (await next.WaitAsync(TimeSpan.FromSeconds(10))).Dispose();
        Assert.Equal(0, _flights.Count);
    }

    [Fact]
    public async Task Dispose_LastCallerLeaves_ForgetsTheHash()
    {
        var first = await _flights.EnterAsync("page", Cancelled);
        var second = _flights.EnterAsync("page", Cancelled);
        first.Dispose();
        Assert.Equal(1, _flights.Count);
        (await second).Dispose();
        Assert.Equal(0, _flights.Count);
        using var again = await _flights.EnterAsync("page", Cancelled);
        Assert.Equal(1, _flights.Count);
    }
}
