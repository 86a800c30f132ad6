using Granary.Cluster.Tests.Processes;
using Granary.Testing.Processes;
using Granary.Testing.Servers;

namespace Granary.Cluster.Tests.Silos;

public sealed class RolesTests(RedisServer redis) : IClassFixture<RedisServer>
{
    private const int Refused = 4;
    private const int Conflict = 5;
    private static readonly TimeSpan MostStart = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task WorkerAndFront_OfOneCluster_DoTheirPartAndSayWhatIsMissing()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        using var folder = new ScratchFolder();
        var (store, cluster) = (folder.GetPath("store"), $"redis://{redis.Address}/roles");
        await using var worker = await StartAsync("worker", null);
        var alone = await CommandRun.RunAsync(["context", "list", "--cluster", cluster], cancellationToken);
        Assert.Equal((Refused, "NoWorker"), (alone.ExitCode, alone.ErrorCode));
        Assert.Contains("all are workers", alone.Errors[^1], StringComparison.Ordinal);

        await using var front = await StartAsync("front", new Dictionary<string, string?> { ["Granary__Models__ledger-4m__Path"] = null });
        await CommandRun.SucceedAsync(["context", "create", "c", "--text", "The miller of Wesby is Nils.", "--model", "ledger-4m", "--cluster", cluster], cancellationToken);
        var status = (await CommandRun.SucceedAsync(["cluster", "status", "--cluster", cluster], cancellationToken)).Result;
        Assert.Equal(
            ["front: front, 0 models, 0 contexts", "worker: worker, 1 models, 1 contexts"],
            status.EnumerateArray().Select(static silo => $"{silo.GetProperty("silo")}: {silo.GetProperty("role")}, {silo.GetProperty("models").GetArrayLength()} models, {silo.GetProperty("contexts")} contexts"));

        var unserved = await CommandRun.RunAsync(["context", "create", "c", "--text", "The miller.", "--model", "other", "--cluster", cluster], cancellationToken);
        Assert.Equal((Refused, "NoWorker"), (unserved.ExitCode, unserved.ErrorCode));
        Assert.Contains("No active silo serves model 'other'; served are ledger-4m (1 of 2 silos).", unserved.Errors[^1], StringComparison.Ordinal);

        await using var differing = GranaryProcess.Start(["serve", "--json"], new Dictionary<string, string?>(CommandRun.Environment)
        {
            ["Granary__Store"] = store,
            ["Granary__Cluster"] = cluster,
            ["Granary__Silo__Port"] = "0",
            ["Granary__Silo__GatewayPort"] = "0",
            ["Granary__Models__ledger-4m__Path"] = "models/ledger-4m",
            ["Granary__Models__ledger-4m__Dtype"] = "bfloat16",
        });
        Assert.Equal(Conflict, await differing.WaitForExitAsync(MostStart, cancellationToken));
        Assert.Contains(differing.Errors, static line => line.Contains("ModelSpecConflict", StringComparison.Ordinal));
        await worker.StopAsync(cancellationToken);
        await front.StopAsync(cancellationToken);

        Task<SiloProcess> StartAsync(string role, IReadOnlyDictionary<string, string?>? more) => SiloProcess.StartAsync(store, cluster, cancellationToken, settings: new Dictionary<string, string?>(more ?? new Dictionary<string, string?>())
        {
            ["Granary__Silo__Name"] = role,
            ["Granary__Silo__Role"] = role,
        });
    }
}
