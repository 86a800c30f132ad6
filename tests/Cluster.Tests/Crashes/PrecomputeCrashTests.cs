using System.Text.Json;
using Granary.Cluster.Tests.Processes;
using Granary.Testing.Processes;

namespace Granary.Cluster.Tests.Crashes;

public sealed class PrecomputeCrashTests
{
    private const int Items = 24;
    private const int Killed = 137;

    [Theory, InlineData(1), InlineData(5), InlineData(12)]
    [Trait("Category", "Crash"), Trait("Invariant", "2")]
    public async Task Precompute_KilledWithSigkill_FinishesOnTheSecondRunAndRecomputesNothingStored(int acknowledged)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        using var folder = new ScratchFolder();
        var store = folder.GetPath("store");
        string[] precompute = ["dataset", "precompute", "datasets/ledgers.jsonl", "--model", "models/ledger-4m", "--store", store];
        await using (var run = GranaryProcess.Start([.. precompute, "--json", "--stream"], CommandRun.Environment))
        {
            await run.WaitForLineAsync(line => Done(line) >= acknowledged, cancellationToken: cancellationToken);
            run.Kill();
            Assert.Equal(Killed, await run.WaitForExitAsync(cancellationToken: cancellationToken));
        }

        var stored = StoredContext.ReadAll(store);
        Assert.InRange(stored.Count, acknowledged, Items - 1);
        var listed = await CommandRun.SucceedAsync(["context", "list", "--store", store], cancellationToken);
        Assert.Equal(
            stored.Keys.Order(StringComparer.Ordinal),
            listed.Result.EnumerateArray().Where(static context => context.GetProperty("state").GetString() == "stored").Select(static context => context.GetProperty("context").GetString()!).Order(StringComparer.Ordinal));

        var second = (await CommandRun.SucceedAsync(precompute, cancellationToken)).Result;
        Assert.Equal((Items, 0), (Count(second, "done") + Count(second, "skipped"), Count(second, "failed")));
        Assert.InRange(Count(second, "skipped"), stored.Count, Items);
        var finished = StoredContext.ReadAll(store);
        Assert.Equal(Items, finished.Count);
        Assert.All(stored.Values, before =>
        {
            Assert.Equal(before.Manifest, finished[before.Name].Manifest);
            Assert.Equal(before.Written, finished[before.Name].Written);
        });

        var third = (await CommandRun.SucceedAsync(precompute, cancellationToken)).Result;
        Assert.Equal((0, Items, 0, 0), (Count(third, "done"), Count(third, "skipped"), Count(third, "failed"), Count(third, "prefilledTokens")));

        var answers = folder.GetPath("answers.jsonl");
        await CommandRun.SucceedAsync(["dataset", "ask", "ledgers", "--store", store, "--out", answers, "--max-new-tokens", "8", "--ignore-eos"], cancellationToken);
        Assert.Equal(SampleGolden.Read().OrderBy(static pair => pair.Key), SampleGolden.ReadAnswers(answers).OrderBy(static pair => pair.Key));
    }

    private static int Count(JsonElement document, string field) => document.GetProperty(field).GetInt32();

    private static int Done(string line)
    {
        if (!line.StartsWith("{\"event\":\"progress\"", StringComparison.Ordinal))
        {
            return -1;
        }

        using var progress = JsonDocument.Parse(line);
        return Count(progress.RootElement, "done");
    }
}
