using Granary.Client;
using Granary.Client.Contexts;
using Granary.Cluster.Tests.Processes;
using Granary.Cluster.Tests.Silos;
using Granary.Contexts;
using Granary.Testing.Processes;
using Granary.Testing.Proxies;
using Granary.Testing.Servers;

namespace Granary.Cluster.Tests.Stores;

/// <summary>A silo process that is killed while its store is down.</summary>
public sealed class StoreOutageCrashTests(AzuriteServer azurite) : IClassFixture<AzuriteServer>
{
    private static readonly TimeSpan MostAnswer = TimeSpan.FromSeconds(8); // 2 s for the check of the manifest, one thread, and a busy machine

    [Theory, InlineData(false), InlineData(true), Trait("Category", "Crash"), Trait("Invariant", "2")]
    public async Task Silo_KilledWithinAnOutage_TheNextAnswersWhatWasAcknowledgedBefore(bool isSilent)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var proxy = new FaultyProxy(azurite.Port);
        var store = $"{AzuriteServer.ConnectionStringBy(proxy.Port)}Container=t{Guid.NewGuid():N}";
        var items = SampleItems.Take(2);
        string before;
        var first = LoopbackPort.FindFree();
        await using (var silo = await SiloProcess.StartAsync(store, "localhost", cancellationToken, first))
        await using (var connection = await SiloProcess.ConnectAsync($"localhost:{first}", cancellationToken))
        {
            var kept = connection.Client.Context("ledger-4m", "kept");
            await CreateAsync(kept, items[0].Context, cancellationToken);
            before = await AskAsync(kept);
            var began = BeginWithTheFirstChunk(proxy, isSilent);
            using var leaving = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var cut = CreateAsync(connection.Client.Context("ledger-4m", "cut"), items[1].Context, leaving.Token);
            await began.WaitAsync(TimeSpan.FromSeconds(30), cancellationToken);
            await Task.Delay(TimeSpan.FromSeconds(1.05), TimeProvider.System, cancellationToken); // no check is young enough any more

            var started = TimeProvider.System.GetTimestamp();
            Assert.Equal(before, await AskAsync(kept));
            Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, MostAnswer);

            await silo.KillAsync(cancellationToken);
            await leaving.CancelAsync();
            Assert.NotNull(await Record.ExceptionAsync(() => cut)); // refused, or left: not acknowledged
        }

        proxy.EndOutage();
        var second = LoopbackPort.FindFree();
        await using var next = await SiloProcess.StartAsync(store, "localhost", cancellationToken, second);
        await using var reconnection = await SiloProcess.ConnectAsync($"localhost:{second}", cancellationToken);
        var restored = await reconnection.Client.Context("ledger-4m", "kept").AskToEndAsync(SampleItems.Ask(items[0]), cancellationToken);
        Assert.Equal(before, $"{SampleItems.Bits(restored)}");
        Assert.Equal("load", restored.Plan.Decision);
        var repeated = reconnection.Client.Context("ledger-4m", "cut");
        await CreateAsync(repeated, items[1].Context, cancellationToken);
        Assert.Equal("stored", (await repeated.GetAsync(cancellationToken)).State);

        async Task<string> AskAsync(IGranaryContext context) => $"{SampleItems.Bits(await context.AskToEndAsync(SampleItems.Ask(items[0]), cancellationToken))}";
    }

    private static Task BeginWithTheFirstChunk(FaultyProxy proxy, bool isSilent)
    {
        var began = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        proxy.Inject(
            static request => request.Method == "PUT" && request.Target.Contains("/chunks", StringComparison.Ordinal),
            ProxyFault.Overtaken(() =>
            {
                proxy.BeginOutage(isSilent);
                began.SetResult();
                return Task.CompletedTask;
            }));
        return began.Task;
    }

    private static async Task CreateAsync(IGranaryContext context, string text, CancellationToken cancellationToken)
    {
        await foreach (var _ in context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfText(text) }, cancellationToken))
        {
        }
    }
}
