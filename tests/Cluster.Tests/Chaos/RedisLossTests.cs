using System.Globalization;
using Granary.Client;
using Granary.Client.Contexts;
using Granary.Client.Datasets;
using Granary.Cluster.Tests.Processes;
using Granary.Cluster.Tests.Silos;
using Granary.Contexts;
using Granary.Datasets;
using Granary.Testing.Servers;
using StackExchange.Redis;

namespace Granary.Cluster.Tests.Chaos;

/// <summary>Redis holds membership and reminders only: it may go, and come back empty.</summary>
public sealed class RedisLossTests(AzuriteServer azurite, ITestOutputHelper output) : IClassFixture<AzuriteServer>
{
    private const int LongItems = 60;
    private const int ShortItems = 12;
    private static readonly TimeSpan Down = Environment.GetEnvironmentVariable("GRANARY_CHAOS_MINUTES") is null ? TimeSpan.FromSeconds(5) : TimeSpan.FromSeconds(30);
    private static readonly TimeSpan MostBegin = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan MostUnswept = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(500);

    // The shortest period that there is. No test waits for a tick: what is registered is Orleans' to run.
    private static readonly IReadOnlyDictionary<string, string?> Settings = new Dictionary<string, string?>(SiloProcess.CrashSettings) { ["Granary__Sweep__Period"] = "00:01:00" };

    [Fact, Trait("Category", "Crash"), Trait("Invariant", "2")]
    public async Task Redis_DownAndThenEmpty_NothingIsLost()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var redis = new RedisServer();
        await redis.InitializeAsync();
        var (store, cluster) = (azurite.ConnectionString + $"Prefix=redis{Guid.NewGuid():N}", $"redis://{redis.Address}/loss");
        var items = SampleItems.Take(8);
        var before = new Dictionary<string, (string, string)>();
        await using (var first = await SiloProcess.StartAsync(store, cluster, cancellationToken, settings: Settings))
        await using (var second = await SiloProcess.StartAsync(store, cluster, cancellationToken, settings: Settings))
        await using (var connection = await SiloProcess.ConnectAsync(cluster, cancellationToken, TimeSpan.FromSeconds(2)))
        {
            await CreateAsync(connection.Client, items.Take(2), before, cancellationToken);
            await redis.KillAsync();
            await CreateAsync(connection.Client, items.Skip(2).Take(2), before, cancellationToken);
            await Task.Delay(Down, TimeProvider.System, cancellationToken); // a state that lasts, not one that comes
            await CreateAsync(connection.Client, items.Skip(4).Take(2), before, cancellationToken);
            await redis.RestartAsync();
            await CreateAsync(connection.Client, items.Skip(6), before, cancellationToken);

            // A silo that starts now knows of no other: two clusters, one store, which is the fence.
            await using var apart = await SiloProcess.StartAsync(store, cluster, cancellationToken, settings: Settings);
            await using var other = await SiloProcess.ConnectAsync(cluster, cancellationToken, TimeSpan.FromSeconds(2));
            await AskAsync(other.Client, items, before, cancellationToken);
            await AskAsync(connection.Client, items, before, cancellationToken);
        }

        await using var successor = await SiloProcess.StartAsync(store, cluster, cancellationToken, settings: Settings);
        await using var last = await SiloProcess.ConnectAsync(cluster, cancellationToken, TimeSpan.FromSeconds(2));
        await AskAsync(last.Client, items, before, cancellationToken);
    }

    [Fact, Trait("Category", "Crash"), Trait("Invariant", "2")]
    public async Task Redis_DownAndThenEmpty_PrecomputesEnd()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var redis = new RedisServer();
        await redis.InitializeAsync();
        var (store, cluster) = (azurite.ConnectionString + $"Prefix=redis{Guid.NewGuid():N}", $"redis://{redis.Address}/precompute");
        await using var first = await SiloProcess.StartAsync(store, cluster, cancellationToken, settings: Settings);
        await using var second = await SiloProcess.StartAsync(store, cluster, cancellationToken, settings: Settings);
        await using var connection = await SiloProcess.ConnectAsync(cluster, cancellationToken, TimeSpan.FromSeconds(2));
        var (outliving, ending) = (new Run("outliving", LongItems), new Run("ending", ShortItems));
        Task[] runs = [outliving.PrecomputeAsync(connection.Client, cancellationToken), ending.PrecomputeAsync(connection.Client, cancellationToken)];
        await Task.WhenAll(outliving.HasBegun, ending.HasBegun).WaitAsync(MostBegin, TimeProvider.System, cancellationToken);
        await redis.KillAsync();
        Assert.All(runs, static run => Assert.False(run.IsCompleted));
        await runs[1];
        output.WriteLine($"{outliving}; {ending}");
        var begun = new Run("begun", ShortItems);
        var begins = begun.PrecomputeAsync(connection.Client, cancellationToken);
        await Task.Delay(Down, TimeProvider.System, cancellationToken); // a state that lasts, not one that comes
        Assert.False(begins.IsCompleted); // it waits for its reminder
        await redis.RestartAsync();
        await Task.WhenAll(runs[0], begins);
        output.WriteLine($"{outliving}; {begun}");
    }

    [Fact, Trait("Category", "Crash")]
    public async Task Redis_Empty_SweepsAreScheduledAgainByTheSameSilo()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var redis = new RedisServer();
        await redis.InitializeAsync();
        var (store, cluster) = (azurite.ConnectionString + $"Prefix=redis{Guid.NewGuid():N}", $"redis://{redis.Address}/sweep");
        await using var silo = await SiloProcess.StartAsync(store, cluster, cancellationToken, settings: Settings);
        await using var connection = await SiloProcess.ConnectAsync(cluster, cancellationToken, TimeSpan.FromSeconds(2));
        Assert.True(await IsSweptAsync("before"), "No sweep was scheduled.");
        await redis.KillAsync();
        await redis.RestartAsync();

        Assert.True(await IsSweptAsync("after"), "No sweep is scheduled any more.");

        // The first context that is stored schedules the sweeps of its tenant, beside its creation.
        async Task<bool> IsSweptAsync(string name)
        {
            await using var reminders = await ConnectionMultiplexer.ConnectAsync(redis.Address);
            var began = TimeProvider.System.GetTimestamp();
            for (var i = 0; TimeProvider.System.GetElapsedTime(began) < MostUnswept; i++)
            {
                await connection.Client.Context(ChaosClient.Model, $"{name}-{i}").CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens([1 + i, 2, 3]) }, cancellationToken).LastAsync(cancellationToken);
                if ((await reminders.GetDatabase().SortedSetRangeByRankAsync("sweep/reminders")).Any(static row => row.ToString().Contains("\"sweep\"", StringComparison.Ordinal)))
                {
                    output.WriteLine($"{name}: a sweep was scheduled after {TimeProvider.System.GetElapsedTime(began)}, {i + 1} creations");
                    return true;
                }

                await Task.Delay(Between, TimeProvider.System, cancellationToken);
            }

            return false;
        }
    }

    private static async Task CreateAsync(IGranaryClient client, IEnumerable<DatasetItem> items, Dictionary<string, (string, string)> answers, CancellationToken cancellationToken)
    {
        foreach (var item in items)
        {
            var context = client.Context(ChaosClient.Model, item.Id);
            Assert.NotNull((await context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfText(item.Context) }, cancellationToken).LastAsync(cancellationToken)).Result);
            answers[item.Id] = SampleItems.Bits(await context.AskToEndAsync(SampleItems.Ask(item), cancellationToken));
        }
    }

    private static async Task AskAsync(IGranaryClient client, IEnumerable<DatasetItem> items, Dictionary<string, (string, string)> answers, CancellationToken cancellationToken)
    {
        foreach (var item in items)
        {
            Assert.Equal(answers[item.Id], SampleItems.Bits(await client.Context(ChaosClient.Model, item.Id).AskToEndAsync(SampleItems.Ask(item), cancellationToken)));
        }
    }

    // A precompute of items that share no page.
    private sealed class Run(string name, int items)
    {
        private const int Sentences = 40;
        private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private DatasetStatus? _status;

        public Task HasBegun => _begun.Task;

        public async Task PrecomputeAsync(IGranaryClient client, CancellationToken cancellationToken)
        {
            await foreach (var status in client.Dataset(name).PrecomputeAsync(DatasetSource.Of(Enumerable.Range(0, items).Select(ItemOf)), ChaosClient.Model, cancellationToken: cancellationToken))
            {
                _status = status;
                if (status.Done > 0)
                {
                    _begun.TrySetResult();
                }
            }

            Assert.Equal((true, items, 0), (_status!.Ended, _status.Done + _status.Skipped, _status.Failed));
        }

        public override string ToString() => $"'{name}': {_status?.Done} of {items} done, {_status?.Skipped} found";

        private DatasetItem ItemOf(int number)
        {
            var sentences = Enumerable.Range(0, Sentences).Select(sentence => string.Create(CultureInfo.InvariantCulture, $"The stock of field {sentence} is {(number * 7) + sentence} by decree."));
            return new DatasetItem(string.Create(CultureInfo.InvariantCulture, $"{name}-{number:D3}"), $"Report {number} of {name}. {string.Join(' ', sentences)}", []);
        }
    }
}
