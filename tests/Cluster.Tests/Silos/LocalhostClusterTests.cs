using System.Text.Json;
using Granary.Cluster.Tests.Processes;
using Granary.Testing.Processes;

namespace Granary.Cluster.Tests.Silos;

public sealed class LocalhostClusterTests
{
    private const int NotFound = 3;

    [Fact]
    public async Task ContextVerbs_ClusterIsALocalGateway_ServeAContextThroughItsLife()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        using var folder = new ScratchFolder();
        var gateway = LoopbackPort.FindFree();
        await using var silo = await SiloProcess.StartAsync(folder.GetPath("store"), "localhost", cancellationToken, gateway);
        var item = SampleItems.Take(1)[0];
        string[] at = ["--model", "ledger-4m", "--cluster", $"localhost:{gateway}"];
        string[] ask = ["context", "ask", "ledger", item.Questions[0].Question, .. at, "--max-new-tokens", "8", "--ignore-eos", "--logprobs"];

        var created = (await CommandRun.SucceedAsync(["context", "create", "ledger", "--text", item.Context, .. at], cancellationToken)).Result;
        Assert.Equal("stored", created.GetProperty("state").GetString());
        var resident = (await CommandRun.SucceedAsync(ask, cancellationToken)).Result;
        Assert.Equal("resident", Decision(resident));
        Assert.Equal(SampleGolden.Read()[item.Questions[0].Id], resident.GetProperty("tokenIds").EnumerateArray().Select(static id => id.GetInt32()));

        var listed = Assert.Single((await CommandRun.SucceedAsync(["context", "list", "--cluster", at[^1]], cancellationToken)).Result.EnumerateArray());
        Assert.Equal("ledger", listed.GetProperty("context").GetString());
        var evicted = (await CommandRun.SucceedAsync(["context", "evict", "ledger", .. at], cancellationToken)).Result;
        Assert.True(evicted.GetProperty("evicted").GetBoolean());
        var restored = (await CommandRun.SucceedAsync(ask, cancellationToken)).Result;
        Assert.Equal("load", Decision(restored));
        Assert.Equal(Bits(resident), Bits(restored));

        await CommandRun.SucceedAsync(["context", "delete", "ledger", .. at], cancellationToken);
        var gone = await CommandRun.RunAsync(ask, cancellationToken);
        Assert.Equal((NotFound, "ContextNotFound"), (gone.ExitCode, gone.ErrorCode));
        await silo.StopAsync(cancellationToken);
    }

    [Fact]
    public async Task DatasetEstimate_ClusterIsALocalGateway_IsWhatPrecomputeWrites()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        using var folder = new ScratchFolder();
        var gateway = LoopbackPort.FindFree();
        await using var silo = await SiloProcess.StartAsync(folder.GetPath("store"), "localhost", cancellationToken, gateway);
        string[] at = ["datasets/ledgers.jsonl", "--model", "ledger-4m", "--cluster", $"localhost:{gateway}"];

        var before = (await CommandRun.SucceedAsync(["dataset", "estimate", .. at], cancellationToken)).Result;
        Assert.False(Directory.Exists(folder.GetPath("store/chunks")));
        var computed = (await CommandRun.SucceedAsync(["dataset", "precompute", .. at], cancellationToken)).Result;
        var after = (await CommandRun.SucceedAsync(["dataset", "estimate", .. at], cancellationToken)).Result;

        var written = new DirectoryInfo(folder.GetPath("store/chunks")).EnumerateFiles("*", SearchOption.AllDirectories).Sum(static chunk => chunk.Length);
        Assert.Equal((written, computed.GetProperty("prefilledTokens").GetInt64()), Work(before));
        Assert.Equal((0L, 0L), Work(after));
        await silo.StopAsync(cancellationToken);
    }

    private static (long StoreBytes, long PrefillTokens) Work(JsonElement estimate) =>
        (estimate.GetProperty("storeBytes").GetInt64(), estimate.GetProperty("prefillTokens").GetInt64());

    private static string? Decision(JsonElement answer) => answer.GetProperty("plan").GetProperty("decision").GetString();

    // Log-probabilities are printed so that they round-trip: equal text is equal bits.
    private static string Bits(JsonElement answer) => $"{answer.GetProperty("tokenIds")} {answer.GetProperty("logProbabilities")}";
}
