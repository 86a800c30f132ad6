using Granary.Client;
using Granary.Client.Contexts;
using Granary.Cluster.Tests.Processes;
using Granary.Contexts;
using Granary.Datasets;
using Granary.Errors;
using Granary.Testing.Servers;

namespace Granary.Cluster.Tests.Silos;

public sealed class TwoSilosTests(AzuriteServer azurite, RedisServer redis) : IClassFixture<AzuriteServer>, IClassFixture<RedisServer>
{
    private const string Model = "ledger-4m";
    private static readonly TimeSpan MostFailover = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(250);

    [Fact, Trait("Invariant", "2")]
    public async Task TwoSilos_FirstStoppedThenSecondStarted_AnswersAreRestoredWithTheSameBits()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var (store, cluster) = (azurite.ConnectionString + "Prefix=successor", $"redis://{redis.Address}/successor");
        var items = SampleItems.Take(6);
        var first = new Dictionary<string, Answer>();
        await using (var silo = await SiloProcess.StartAsync(store, cluster, cancellationToken))
        {
            var precomputed = await CommandRun.SucceedAsync(["dataset", "precompute", "datasets/ledgers.jsonl", "--model", Model, "--cluster", cluster], cancellationToken);
            Assert.Equal(24, precomputed.Result.GetProperty("done").GetInt32());
            await using (var connection = await SiloProcess.ConnectAsync(cluster, cancellationToken))
            {
                foreach (var item in items)
                {
                    first[item.Id] = await connection.Client.Context(Model, NameOf(item)).AskToEndAsync(SampleItems.Ask(item), cancellationToken);
                    Assert.Equal("resident", first[item.Id].Plan.Decision);
                }
            }

            await silo.StopAsync(cancellationToken);
        }

        await using var successor = await SiloProcess.StartAsync(store, cluster, cancellationToken);
        await using var second = await SiloProcess.ConnectAsync(cluster, cancellationToken);
        foreach (var item in items)
        {
            var answer = await second.Client.Context(Model, NameOf(item)).AskToEndAsync(SampleItems.Ask(item), cancellationToken);
            Assert.Equal("load", answer.Plan.Decision);
            Assert.Equal((answer.Usage.ContextTokens, 0, 0), (answer.Usage.RestoredTokens, answer.Usage.ResidentTokens, answer.Usage.RecomputedTokens));
            Assert.Equal(SampleItems.Bits(first[item.Id]), SampleItems.Bits(answer));
        }
    }

    [Fact, Trait("Category", "Crash"), Trait("Invariant", "2")]
    public async Task TwoSilos_OneIsKilled_TheOtherAnswersEveryAcknowledgedContextWithTheSameBits()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var (store, cluster) = (azurite.ConnectionString + "Prefix=survivor", $"redis://{redis.Address}/survivor");
        await using var victim = await SiloProcess.StartAsync(store, cluster, cancellationToken, settings: SiloProcess.CrashSettings);
        await using var survivor = await SiloProcess.StartAsync(store, cluster, cancellationToken, settings: SiloProcess.CrashSettings);
        await using var connection = await SiloProcess.ConnectAsync(cluster, cancellationToken, SiloProcess.CrashResponseTimeout);
        var items = SampleItems.Take(12);
        var before = new Dictionary<string, Answer>();
        foreach (var item in items)
        {
            var context = connection.Client.Context(Model, NameOf(item));
            var stored = false;
            await foreach (var progress in context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfText(item.Context) }, cancellationToken))
            {
                stored = progress.Stage == ContextStage.Stored;
            }

            Assert.True(stored, $"'{context.Id}' was not acknowledged.");
            before[item.Id] = await context.AskToEndAsync(SampleItems.Ask(item), cancellationToken);
        }

        await victim.KillAsync(cancellationToken);
        var killed = TimeProvider.System.GetTimestamp();
        var after = await Task.WhenAll(items.Select(item => AskUntilAnsweredAsync(connection.Client, item, killed, cancellationToken)));

        Assert.Equal(items.Select(item => SampleItems.Bits(before[item.Id])), after.Select(SampleItems.Bits));
        // Were all on the survivor, the kill would have proven nothing: those of the victim had to be restored.
        Assert.Contains(after, static answer => answer.Plan.Decision == "load");
        Assert.All(after, static answer => Assert.Equal(0, answer.Usage.RecomputedTokens));
    }

    // As a caller would: what the cluster says may be tried again is tried again.
    private static async Task<Answer> AskUntilAnsweredAsync(IGranaryClient client, DatasetItem item, long since, CancellationToken cancellationToken)
    {
        var context = client.Context(Model, NameOf(item));
        while (true)
        {
            try
            {
                return await context.AskToEndAsync(SampleItems.Ask(item), cancellationToken);
            }
            catch (GranaryException e) when (e.Code is ErrorCodes.Unavailable or ErrorCodes.NoWorker)
            {
                var waited = TimeProvider.System.GetElapsedTime(since);
                Assert.True(waited < MostFailover, $"'{context.Id}' has no answer {waited} after the kill: {e.Code}, {e.Message}");
                await Task.Delay(RetryPause, TimeProvider.System, cancellationToken);
            }
        }
    }

    private static string NameOf(DatasetItem item) => $"ledgers.{item.Id}";
}
