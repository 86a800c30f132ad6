using System.Text.Json.Nodes;
using Granary.Testing;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary>The bundled data set on the bundled model (rows S5 to S7, and S9's cut), against what Hugging Face answered.</summary>
public sealed class SampleTests : IDisposable
{
    private static readonly string Ledgers = Repository.GetPath("datasets/ledgers.jsonl");
    private readonly Workplace _place = new();

    public void Dispose() => _place.Dispose();

    [Fact]
    public async Task S5_S6_S7_PrecomputeTwiceThenAsk_AnswersAreHuggingFaces()
    {
        var first = (await RunAsync("dataset", "precompute", Ledgers, "--model", Workplace.SampleModel)).Succeeded().Result;
        var objects = Workplace.Objects(_place.Store);
        var second = (await RunAsync("dataset", "precompute", Ledgers, "--model", Workplace.SampleModel)).Succeeded().Result;
        Assert.Equal(
            ["dataset", "items", "done", "failed", "skipped", "prefilledTokens", "storedBytes", "seconds", "exact"],
            first.AsObject().Select(field => field.Key));
        Assert.Equal(("ledgers", 24, 24, 0, 0), Counts(first));
        Assert.Equal(("ledgers", 24, 0, 0, 24), Counts(second));
        Assert.True((long?)first["prefilledTokens"] > 10_000);
        Assert.Equal(0, (long?)second["prefilledTokens"]);
        Assert.Equal((long?)first["storedBytes"], (long?)second["storedBytes"]);
        Assert.Equal(objects, Workplace.Objects(_place.Store));
        Assert.Equal(Counts(second), Counts((await RunAsync("dataset", "status", "ledgers")).Succeeded().Result));

        // Another silo than the one that computed: all caches come from the store.
        var output = _place.Path("answers.jsonl");
        var asked = (await RunAsync("dataset", "ask", "ledgers", "--out", output, "--max-new-tokens", "8", "--ignore-eos", "--logprobs")).Succeeded().Result;
        Assert.Equal((144, 0), ((int?)asked["questions"], (int?)asked["failed"]));
        var answers = File.ReadLines(output).Select(line => JsonNode.Parse(line)).OfType<JsonNode>().ToDictionary(line => (string?)line["question"] ?? "");
        var golden = Golden().Where(answer => !((string?)answer["item"] ?? "").Contains('+', StringComparison.Ordinal)).ToList();
        Assert.Equal(144, golden.Count);
        Assert.All(golden, expected => CheckAnswer(expected, answers[(string?)expected["question"] ?? ""]));
        Assert.All(answers.Values, answer => Assert.Equal(0, (int?)answer["usage"]?["recomputedTokens"]));
        Assert.Equal(["item", "question", "answers", "context", "model", "version"], answers.Values.First().AsObject().Select(field => field.Key).Take(6));
    }

    [Fact]
    public async Task S9_ContextOfTwoLedgers_TruncatedLeft_AnswersAreHuggingFaces()
    {
        var ledgers = File.ReadLines(Ledgers).Select(line => JsonNode.Parse(line)).OfType<JsonNode>().ToDictionary(item => (string?)item["id"] ?? "");
        var cut = Golden().Where(answer => ((string?)answer["item"] ?? "").Contains('+', StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(cut);
        var parts = ((string?)cut[0]["item"] ?? "").Split('+');
        var file = _place.Write("two.txt", string.Concat(parts.Select(part => (string?)ledgers[part]["context"])));
        var created = (await RunAsync("context", "create", "two", "--model", Workplace.SampleModel, "--file", file, "--truncate", "left", "--reserve", "256")).Succeeded().Result;
        Assert.Equal(2048 - 256, (int?)created["tokens"]);
        Assert.True((int?)created["truncatedTokens"] > 0);
        foreach (var expected in cut)
        {
            var answer = (await RunAsync(
                "context", "ask", "two", "--model", Workplace.SampleModel, "--tokens", expected["prompt"]?.ToJsonString().Trim('[', ']') ?? "",
                "--max-new-tokens", "8", "--ignore-eos", "--logprobs")).Succeeded().Result;
            CheckAnswer(expected, answer);
        }
    }

    private static void CheckAnswer(JsonNode expected, JsonNode answer)
    {
        Assert.Equal(expected["greedy"]?.ToJsonString(), answer["tokenIds"]?.ToJsonString());
        Assert.Equal((string?)expected["text"], (string?)answer["text"]);
        Assert.Equal((int?)expected["context_tokens"], (int?)answer["usage"]?["contextTokens"]);
        Assert.InRange(GoldenForward.Difference(Numbers(expected["log_probabilities"]), Numbers(answer["logProbabilities"])), 0, 1e-4); // float32 against float32
    }

    private static JsonNode[] Golden() => [.. (JsonNode.Parse(File.ReadAllText(Workplace.Golden("sample.json")))?.AsArray() ?? []).OfType<JsonNode>()];

    private static double[] Numbers(JsonNode? list) => [.. (list?.AsArray() ?? []).Select(number => (double?)number ?? double.NaN)];

    private static (string?, int?, int?, int?, int?) Counts(JsonNode status) =>
        ((string?)status["dataset"], (int?)status["items"], (int?)status["done"], (int?)status["failed"], (int?)status["skipped"]);

    private Task<CommandRun> RunAsync(params string[] arguments) => _place.RunAsync([.. arguments, "--store", _place.Store, "--json"]);
}
