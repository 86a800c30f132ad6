using Granary.Grains.Contexts;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Grains.Tests.Contexts;

public sealed class TokenBatchingTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly TaskCompletionSource _finished = new();

    [Fact]
    public void Hold_FirstToken_LeavesAtOnce() => Assert.Null(new TokenBatching(_time).Hold(_finished.Task, TestContext.Current.CancellationToken));

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(40)]
    public void Hold_TokensOfASlowModel_LeaveAtOnce(int milliseconds)
    {
        var batching = new TokenBatching(_time);
        for (var token = 0; token < 5; token++)
        {
            Assert.Null(batching.Hold(_finished.Task, TestContext.Current.CancellationToken));
            _time.Advance(TimeSpan.FromMilliseconds(milliseconds));
        }
    }

    [Fact]
    public async Task Hold_TokensOfAQuickModel_LeaveTogetherFiveMillisecondsApart()
    {
        var batching = new TokenBatching(_time);
        Assert.Null(batching.Hold(_finished.Task, TestContext.Current.CancellationToken));
        for (var batch = 0; batch < 3; batch++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(0.5));
            var hold = batching.Hold(_finished.Task, TestContext.Current.CancellationToken);
            Assert.NotNull(hold);
            _time.Advance(TimeSpan.FromMilliseconds(3));
            Assert.False(hold.IsCompleted);
            _time.Advance(TimeSpan.FromMilliseconds(1.5));
            await hold.WaitAsync(TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task Hold_QuickModelBecomesSlow_ItsTokensLeaveAtOnceAgain()
    {
        var batching = new TokenBatching(_time);
        Assert.Null(batching.Hold(_finished.Task, TestContext.Current.CancellationToken));
        var hold = batching.Hold(_finished.Task, TestContext.Current.CancellationToken);
        _time.Advance(TokenBatching.Apart);
        await hold!.WaitAsync(TestContext.Current.CancellationToken);
        _time.Advance(TokenBatching.Soon);
        Assert.Null(batching.Hold(_finished.Task, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Hold_TheDecodingEnds_IsOver()
    {
        var batching = new TokenBatching(_time);
        Assert.Null(batching.Hold(_finished.Task, TestContext.Current.CancellationToken));
        var hold = batching.Hold(_finished.Task, TestContext.Current.CancellationToken);
        Assert.False(hold!.IsCompleted);
        _finished.SetResult();
        await hold.WaitAsync(TestContext.Current.CancellationToken);
        Assert.Null(batching.Hold(_finished.Task, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Hold_CallerLeaves_IsOverWithoutAnError()
    {
        using var leaving = new CancellationTokenSource();
        var batching = new TokenBatching(_time);
        Assert.Null(batching.Hold(_finished.Task, leaving.Token));
        var hold = batching.Hold(_finished.Task, leaving.Token);
        await leaving.CancelAsync();
        await hold!.WaitAsync(TestContext.Current.CancellationToken);
    }
}
