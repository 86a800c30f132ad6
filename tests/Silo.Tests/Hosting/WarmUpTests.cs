using System.Collections.Concurrent;
using Granary.Grains.Hosting;
using Granary.Silo.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Silo.Tests.Hosting;

public sealed class WarmUpTests
{
    private readonly Events _events = new();

    [Fact]
    public async Task RunAsync_DoesAllThatASiloDoes_AndLeavesNothing()
    {
        var before = Folders();
        await New(TimeProvider.System).RunAsync(TestContext.Current.CancellationToken);

        Assert.Equal([4000], _events.Ids);
        Assert.Equal(before, Folders());
    }

    [Fact]
    public async Task RunAsync_TakesTooLong_IsGivenUpWithAWarning()
    {
        var time = new FakeTimeProvider();
        var starting = New(time).RunAsync(TestContext.Current.CancellationToken);
        time.Advance(TimeSpan.FromMinutes(1));
        await starting;

        Assert.Equal([4001], _events.Ids);
    }

    [Fact]
    public async Task RunAsync_SiloIsToldToStop_EndsWithThat()
    {
        using var stopping = new CancellationTokenSource();
        var starting = New(TimeProvider.System).RunAsync(stopping.Token);
        await stopping.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => starting);
        Assert.Empty(_events.Ids);
    }

    [Theory]
    [InlineData("redis://127.0.0.1:6379", true, null, true)]
    [InlineData("redis://127.0.0.1:6379", false, null, false)]
    [InlineData("redis://127.0.0.1:6379", true, SiloRole.Front, false)]
    [InlineData("localhost", true, null, false)]
    public void WarmsUp_ASiloThatComputesForACluster(string cluster, bool set, SiloRole? role, bool warmsUp) => Assert.Equal(
        warmsUp, GranaryHost.WarmsUp(new GranaryOptions { Cluster = cluster, Models = { ["m"] = new() { Path = "m" } }, Silo = { WarmUp = set, Role = role } }));

    private static string[] Folders() => [.. Directory.EnumerateDirectories(Path.GetTempPath(), "granary-warm-up-*").Order(StringComparer.Ordinal)];

    private WarmUp New(TimeProvider time) => new(new GranaryEngineOptions { Threads = 1 }, time, _events);

    private sealed class Events : ILogger<WarmUp>
    {
        private readonly ConcurrentQueue<int> _ids = [];

        public IReadOnlyCollection<int> Ids => _ids;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => _ids.Enqueue(eventId.Id);
    }
}
