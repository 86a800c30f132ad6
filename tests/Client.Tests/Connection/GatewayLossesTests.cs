using Granary.Client.Connection;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Client.Tests.Connection;

/// <summary>Whoever has called while a connection was open hears of its end, a moment later.</summary>
public sealed class GatewayLossesTests
{
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Instant = TimeSpan.FromMilliseconds(1);
    private readonly FakeTimeProvider _time = new();
    private readonly GatewayLosses _losses;

    public GatewayLossesTests() => _losses = new GatewayLosses(_time);

    [Fact]
    public async Task Next_ConnectionEndsDuringACall_IsToldAMomentLater()
    {
        var connection = new Connection(_losses);
        var lost = _losses.Next;
        await connection.EndAsync();

        _time.Advance(Grace - Instant);
        Assert.False(lost.IsCompleted);
        _time.Advance(Instant);
        await HeardAsync(lost);
    }

    [Fact]
    public async Task Next_ConnectionEndedBefore_IsNotTold()
    {
        var (connection, other) = (new Connection(_losses), new Connection(_losses));
        await connection.EndAsync();
        var lost = _losses.Next;
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.False(lost.IsCompleted); // what it was to go by was another connection, already

        await other.EndAsync();
        _time.Advance(Grace);
        await HeardAsync(lost);
    }

    [Fact]
    public async Task Next_ConnectionsEndOneAfterTheOther_EachIsToldInItsTime()
    {
        var (first, second) = (new Connection(_losses), new Connection(_losses));
        var during = _losses.Next;
        await first.EndAsync();
        var between = _losses.Next;
        _time.Advance(Grace / 2);
        await second.EndAsync();
        var behind = _losses.Next;

        _time.Advance(Grace / 2);
        await HeardAsync(during);
        Assert.False(between.IsCompleted);
        _time.Advance(Grace / 2);
        await HeardAsync(between);
        Assert.False(behind.IsCompleted);
    }

    [Fact]
    public async Task Next_ManyCallersAndManyEnds_EachHearsOnce()
    {
        var connections = Enumerable.Range(0, 100).Select(_ => new Connection(_losses)).ToArray();
        var calls = Enumerable.Range(0, 1000).Select(_ => _losses.Next).ToArray();
        await Task.WhenAll(connections.Select(connection => Task.Run(connection.EndAsync)));
        _time.Advance(Grace);

        await HeardAsync(Task.WhenAll(calls));
        Assert.False(_losses.Next.IsCompleted);
    }

    [Fact]
    public async Task Next_NoConnectionEnds_NothingIsTold()
    {
        var connection = new Connection(_losses);
        var lost = _losses.Next;
        _time.Advance(TimeSpan.FromHours(1));
        Assert.False(lost.IsCompleted || connection.Ended.IsCompleted);

        await connection.EndAsync();
        _time.Advance(Grace);
        await HeardAsync(lost);
    }

    [Fact]
    public async Task Next_HandshakeFails_IsNoLoss()
    {
        var lost = _losses.Next;
        var connection = new Connection(_losses);
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => connection.FailAsync(new InvalidOperationException("Connection terminated prematurely")));
        Assert.Equal("Connection terminated prematurely", error.Message); // Orleans hears of it as before

        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.False(lost.IsCompleted);
    }

    [Fact]
    public async Task Next_WatchersOfAnotherClient_HearNothing()
    {
        var other = new GatewayLosses(_time).Next;
        await new Connection(_losses).EndAsync();
        _time.Advance(Grace);
        Assert.False(other.IsCompleted);
    }

    private static Task HeardAsync(Task lost) => lost.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System);

    // A connection whose messages pass until it ends.
    private sealed class Connection
    {
        private readonly TaskCompletionSource _messages = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Connection(GatewayLosses losses)
        {
            var builder = new ConnectionBuilder(new ServiceCollection().BuildServiceProvider());
            losses.Watch(builder);
            builder.Use(_ => _ => _messages.Task);
            Ended = builder.Build()(new DefaultConnectionContext());
        }

        public Task Ended { get; }

        public Task EndAsync()
        {
            _messages.SetResult();
            return Ended;
        }

        public Task FailAsync(Exception error)
        {
            _messages.SetException(error);
            return Ended;
        }
    }
}
