using Granary.Client;
using Granary.Client.Contexts;
using Granary.Cluster.Tests.Processes;
using Granary.Cluster.Tests.Silos;
using Granary.Contexts;
using Granary.Datasets;
using Granary.Testing.Servers;

namespace Granary.Cluster.Tests.Chaos;

/// <summary>Redis holds membership and reminders only: it may go, and come back empty.</summary>
public sealed class RedisLossTests(AzuriteServer azurite) : IClassFixture<AzuriteServer>
{
    private static readonly TimeSpan Down = Environment.GetEnvironmentVariable("GRANARY_CHAOS_MINUTES") is null ? TimeSpan.FromSeconds(5) : TimeSpan.FromSeconds(30);

    [Fact, Trait("Category", "Crash"), Trait("Invariant", "2")]
    public async Task Redis_DownAndThenEmpty_NothingIsLost()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var redis = new RedisServer();
        await redis.InitializeAsync();
        var (store, cluster) = (azurite.ConnectionString + $"Prefix=redis{Guid.NewGuid():N}", $"redis://{redis.Address}/loss");
        var items = SampleItems.Take(8);
        var before = new Dictionary<string, (string, string)>();
        await using (var first = await SiloProcess.StartAsync(store, cluster, cancellationToken, settings: SiloProcess.CrashSettings))
        await using (var second = await SiloProcess.StartAsync(store, cluster, cancellationToken, settings: SiloProcess.CrashSettings))
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
            await using var apart = await SiloProcess.StartAsync(store, cluster, cancellationToken, settings: SiloProcess.CrashSettings);
            await using var other = await SiloProcess.ConnectAsync(cluster, cancellationToken, TimeSpan.FromSeconds(2));
            await AskAsync(other.Client, items, before, cancellationToken);
            await AskAsync(connection.Client, items, before, cancellationToken);
        }

        await using var successor = await SiloProcess.StartAsync(store, cluster, cancellationToken, settings: SiloProcess.CrashSettings);
        await using var last = await SiloProcess.ConnectAsync(cluster, cancellationToken, TimeSpan.FromSeconds(2));
        await AskAsync(last.Client, items, before, cancellationToken);
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
}
