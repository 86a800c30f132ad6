using System.Collections.Concurrent;
using Granary.Silo.Hosting;
using Granary.Storage.Objects;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Silo.Tests.Hosting;

public sealed class WarmUpTests
{
    private readonly Events _events = new();

    [Fact]
    public async Task StartAsync_DoesAllThatASiloDoes_AndLeavesNothing()
    {
        var before = Folders();
        await New(TimeProvider.System).StartAsync(TestContext.Current.CancellationToken);

        Assert.Equal([4000], _events.Ids);
        Assert.Equal(before, Folders());
    }

    [Fact]
    public async Task StartAsync_TakesTooLong_IsGivenUpWithAWarning()
    {
        var time = new FakeTimeProvider();
        var starting = New(time).StartAsync(TestContext.Current.CancellationToken);
        time.Advance(TimeSpan.FromMinutes(1));
        await starting;

        Assert.Equal([4001], _events.Ids);
    }

    [Fact]
    public async Task StartAsync_SiloIsToldToStop_EndsWithThat()
    {
        using var stopping = new CancellationTokenSource();
        var starting = New(TimeProvider.System).StartAsync(stopping.Token);
        await stopping.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => starting);
        Assert.Empty(_events.Ids);
    }

    [Theory]
    [InlineData("redis://127.0.0.1:6379", true, true)]
    [InlineData("redis://127.0.0.1:6379", false, false)]
    [InlineData("localhost", true, false)] // nobody else serves meanwhile: it would only start later
    public void AddGranarySilo_OfACluster_WarmsUpBeforeItJoins(string cluster, bool set, bool warmsUp)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.AddGranarySilo(new GranaryOptions { Cluster = cluster, Silo = { WarmUp = set } }, new InMemoryObjectStore(TimeProvider.System));
        var services = builder.Services.Where(static service => service.ServiceType == typeof(IHostedService)).Select(static service => service.ImplementationType).ToList();

        Assert.Equal(warmsUp ? 0 : -1, services.IndexOf(typeof(WarmUp)));
    }

    private static string[] Folders() => [.. Directory.EnumerateDirectories(Path.GetTempPath(), "granary-warm-up-*").Order(StringComparer.Ordinal)];

    private WarmUp New(TimeProvider time) => new(Options.Create(new GranaryOptions { Engine = { Threads = 1 } }), time, _events);

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
