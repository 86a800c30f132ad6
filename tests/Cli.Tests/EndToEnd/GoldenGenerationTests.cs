using System.Text.Json.Nodes;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary>Hugging Face's greedy runs and scores (rows S5 and S9), by <c>generate</c> and <c>context score</c>.</summary>
public sealed class GoldenGenerationTests(SharedSilo silo) : IClassFixture<SharedSilo>
{
    /// <summary>Gets the runs by model and prompt length; a prompt of one token cannot be split into context and prompt.</summary>
    public static TheoryData<string, int> Runs()
    {
        var data = new TheoryData<string, int>();
        foreach (var file in Directory.GetFiles(Workplace.Golden("generate"), "*.json").Order(StringComparer.Ordinal))
        {
            foreach (var run in RunsOf(Path.GetFileNameWithoutExtension(file)).Where(run => Ids(run["prompt"]).Length > 1))
            {
                data.Add(Path.GetFileNameWithoutExtension(file), Ids(run["prompt"]).Length);
            }
        }

        return data;
    }

    [Theory, MemberData(nameof(Runs))]
    public async Task S5_Generate_WithAndWithoutCache_IsHuggingFacesGreedy(string model, int promptLength)
    {
        var run = Find(model, promptLength);
        var (prompt, greedy) = (Ids(run["prompt"]), Ids(run["greedy"]));
        var seam = Math.Max(1, prompt.Length - 3); // anywhere: the seam may not change the tokens
        string[] arguments =
        [
            "generate", "--model", Workplace.Model(model), "--context-tokens", List(prompt[..seam]), "--prompt-tokens", List(prompt[seam..]),
            "--max-new-tokens", $"{greedy.Length}", "--ignore-eos", "--logprobs",
        ];
        var cached = (await silo.RunAsync(arguments)).Succeeded().Result;
        var computed = (await silo.RunAsync([.. arguments, "--no-cache"])).Succeeded().Result;

        Assert.Equal(greedy, Ids(cached["tokenIds"]));
        Assert.Equal(greedy, Ids(computed["tokenIds"]));
        Assert.Equal(cached["logProbabilities"]?.ToJsonString(), computed["logProbabilities"]?.ToJsonString()); // DESIGN §3: the same bits
        Assert.Equal(seam, (int?)computed["usage"]?["recomputedTokens"]);
        Assert.Equal("length", (string?)computed["finishReason"]);
    }

    [Theory, MemberData(nameof(Runs))]
    public async Task S9_Score_OfAContinuation_IsHuggingFaces(string model, int promptLength)
    {
        var run = Find(model, promptLength);
        var name = $"prompt-{promptLength}";
        (await silo.RunAsync("context", "create", name, "--model", Workplace.Model(model), "--tokens", List(Ids(run["prompt"])))).Succeeded();
        var score = (await silo.RunAsync("context", "score", name, "--model", Workplace.Model(model), "--tokens", List(Ids(run["scored"])))).Succeeded().Result;

        Assert.Equal(Ids(run["scored"]), Ids(score["tokenIds"]));
        var expected = Numbers(run["log_probabilities"]);
        Assert.InRange(GoldenForward.Difference(expected, Numbers(score["logProbabilities"])), 0, 1e-4);
        Assert.Equal(Numbers(score["logProbabilities"]).Sum(), (double?)score["sum"] ?? double.NaN, 1e-9);
    }

    private static JsonNode[] RunsOf(string model) =>
        [.. (JsonNode.Parse(File.ReadAllText(Workplace.Golden($"generate/{model}.json")))?["runs"]?.AsArray() ?? []).OfType<JsonNode>()];

    private static JsonNode Find(string model, int promptLength) => RunsOf(model).Single(run => Ids(run["prompt"]).Length == promptLength);

    private static int[] Ids(JsonNode? list) => [.. (list?.AsArray() ?? []).Select(id => (int?)id ?? -1)];

    private static double[] Numbers(JsonNode? list) => [.. (list?.AsArray() ?? []).Select(number => (double?)number ?? double.NaN)];

    private static string List(int[] ids) => string.Join(',', ids);
}
