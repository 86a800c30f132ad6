using System.Text.Json;
using System.Text.Json.Nodes;
using Granary.Cluster.Tests.Processes;
using Granary.Testing;
using Granary.Testing.Servers;

namespace Granary.Cluster.Tests.Xquad;

/// <summary>The first contexts of XQuAD, with Pythia-70m's shape and random weights. docs/xquad.md has all of them, by hand.</summary>
public sealed class XquadTests(AzuriteServer azurite, RedisServer redis) : IClassFixture<AzuriteServer>, IClassFixture<RedisServer>
{
    private const int Contexts = 6;

    [Fact]
    public async Task Precompute_ByOneSilo_QuestionsAreAnsweredByAnotherFromTheStore()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var (source, tokenizer) = (Needs.Shared("data/qa/xquad.en.json"), Needs.Shared("data/tokenizer/20B_tokenizer.json"));
        using var folder = new ScratchFolder();
        var (weights, file, answers) = (folder.GetPath("pythia-70m"), folder.GetPath("xquad.json"), folder.GetPath("answers.jsonl"));
        var questions = Cut(source, file);
        await CommandRun.SucceedAsync(["model", "create", "--shape", "pythia-70m", "--seed", "1", "--tokenizer", tokenizer, "--out", weights], cancellationToken);
        var (store, cluster, model) = (azurite.ConnectionString, $"redis://{redis.Address}/xquad", ("pythia-70m", weights));

        await using (var first = await SiloProcess.StartAsync(store, cluster, cancellationToken, model: model))
        {
            var computed = (await CommandRun.SucceedAsync(["dataset", "precompute", file, "--model", "pythia-70m", "--cluster", cluster], cancellationToken)).Result;
            Assert.Equal((Contexts, 0), (computed.GetProperty("done").GetInt32(), computed.GetProperty("failed").GetInt32()));
            await first.StopAsync(cancellationToken);
        }

        await using var second = await SiloProcess.StartAsync(store, cluster, cancellationToken, model: model);
        var asked = (await CommandRun.SucceedAsync(["dataset", "ask", "xquad", "--cluster", cluster, "--out", answers, "--max-new-tokens", "4"], cancellationToken)).Result;

        Assert.Equal((questions, 0), (asked.GetProperty("questions").GetInt32(), asked.GetProperty("failed").GetInt32()));
        var lines = File.ReadLines(answers).Select(static line => JsonDocument.Parse(line).RootElement).ToArray();
        Assert.Equal(questions, lines.Length);
        Assert.All(lines, static line =>
        {
            Assert.True(line.GetProperty("plan").GetProperty("decision").GetString() is "load" or "resident", line.ToString());
            Assert.Equal(0, line.GetProperty("usage").GetProperty("recomputedTokens").GetInt32());
        });
        // A context's first question restores it, whichever of those asked at once that is.
        Assert.All(lines.GroupBy(static line => line.GetProperty("item").GetString()), static item =>
            Assert.Contains(item, static line => line.GetProperty("usage").GetProperty("restoredTokens").GetInt32() > 0));
    }

    private static int Cut(string source, string destination)
    {
        var document = JsonNode.Parse(File.ReadAllText(source))!;
        var paragraphs = document["data"]!.AsArray()
            .SelectMany(static article => article!["paragraphs"]!.AsArray()).Take(Contexts).Select(static paragraph => paragraph!.DeepClone()).ToArray();
        var cut = new JsonObject { ["data"] = new JsonArray(new JsonObject { ["title"] = "cut", ["paragraphs"] = new JsonArray(paragraphs) }) };
        File.WriteAllText(destination, cut.ToJsonString());
        return paragraphs.Sum(static paragraph => paragraph["qas"]!.AsArray().Count);
    }
}
