using System.Globalization;
using Granary.Client;
using Granary.Client.Contexts;
using Granary.Cluster.Tests.Processes;
using Granary.Contexts;
using Granary.Errors;
using Granary.Testing.Processes;
using Granary.Testing.Servers;

namespace Granary.Cluster.Tests.Silos;

public sealed class RolesTests(RedisServer redis) : IClassFixture<RedisServer>
{
    private const int Refused = 4;
    private const int Conflict = 5;
    private static readonly TimeSpan MostStart = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

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

    [Fact]
    public async Task WorkersOfTwoModels_CalledThroughTheFrontAlone_HaveEachTheirContextsAndShareWithOneThatJoins()
    {
        const string Ledger = "ledger-4m", Rotary = "quarter-rotary";
        const int New = 24, LeastShare = 6;
        var cancellationToken = TestContext.Current.CancellationToken;
        using var folder = new ScratchFolder();
        var (store, cluster) = (folder.GetPath("store"), $"redis://{redis.Address}/models");
        await using var ledger = await StartWorkerAsync("ledger", (Ledger, "models/ledger-4m"));
        await using var rotary = await StartWorkerAsync("rotary", (Rotary, "tests/Inference.Tests/Golden/models/quarter-rotary"));
        var gateway = LoopbackPort.FindFree();
        await using var front = await SiloProcess.StartAsync(store, cluster, cancellationToken, gateway, settings: new Dictionary<string, string?>
        {
            ["Granary__Silo__Name"] = "front",
            ["Granary__Silo__Role"] = "front",
            ["Granary__Models__ledger-4m__Path"] = null,
        });

        // It knows no gateway but this one, as behind an address that leads to the fronts.
        await using var connection = await GranaryConnection.ConnectAsync(
            options => (options.Cluster, options.ServiceId) = (string.Create(CultureInfo.InvariantCulture, $"localhost:{gateway}"), "models"), cancellationToken: cancellationToken);
        var client = connection.Client;
        await CreateAndAskAsync(Ledger, 0, 3);
        await CreateAndAskAsync(Rotary, 0, 2);
        Assert.Equal(["front 0", "ledger 3", "rotary 2"], (await CountContextsAsync(client, cancellationToken)).Select(static silo => $"{silo.Key} {silo.Value}"));

        var unserved = await Assert.ThrowsAsync<GranaryException>(() => CreateAndAskAsync("other", 0, 1));
        Assert.Equal(ErrorCodes.NoWorker, unserved.Code);
        Assert.Contains(Ledger, unserved.Message, StringComparison.Ordinal);
        Assert.Contains(Rotary, unserved.Message, StringComparison.Ordinal);

        await using var second = await StartWorkerAsync("second", (Ledger, "models/ledger-4m"));
        for (var began = TimeProvider.System.GetTimestamp(); !(await CountContextsAsync(client, cancellationToken)).ContainsKey("second");)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < MostStart, "The front has not heard of the worker that joined.");
            await Task.Delay(Poll, TimeProvider.System, cancellationToken);
        }

        await CreateAndAskAsync(Ledger, 3, New);
        var contexts = await CountContextsAsync(client, cancellationToken);
        Assert.InRange(contexts["second"], LeastShare, New);
        Assert.Equal((3 + New, 2, 0), (contexts["ledger"] + contexts["second"], contexts["rotary"], contexts["front"]));

        Task<SiloProcess> StartWorkerAsync(string name, (string Id, string Folder) model) => SiloProcess.StartAsync(store, cluster, cancellationToken, model: model, settings: new Dictionary<string, string?>
        {
            ["Granary__Silo__Name"] = name,
            ["Granary__Silo__Role"] = "worker",
        });

        Task CreateAndAskAsync(string model, int first, int count) => Task.WhenAll(Enumerable.Range(first, count).Select(async number =>
        {
            var context = client.Context(model, $"c{number}");
            int[] ids = [.. Enumerable.Range(1 + number, 40)]; // no two contexts of a model have a page in common
            var created = (await context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(ids) }, cancellationToken).LastAsync(cancellationToken)).Result!;
            Assert.Equal(ids.Length, created.PrefilledTokens);
            var answer = await context.AskToEndAsync(new AskRequest { Prompt = TokenInput.OfTokens(1, 2, 3), Options = new GenerationOptions { MaxNewTokens = 2, IgnoreEos = true } }, cancellationToken);
            Assert.Equal((2, ids.Length), (answer.TokenIds.Length, answer.Usage.ResidentTokens));
        }));
    }

    private static async Task<Dictionary<string, int>> CountContextsAsync(IGranaryClient client, CancellationToken cancellationToken) =>
        (await client.Cluster.ListSilosAsync(cancellationToken)).ToDictionary(static silo => silo.Silo, static silo => silo.Contexts);
}
