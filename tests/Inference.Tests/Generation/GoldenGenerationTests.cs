using System.Runtime.InteropServices;
using System.Text.Json;
using Granary.Inference.Engine;
using Granary.Inference.Errors;
using Granary.Inference.Generation;
using Granary.Inference.Tests.Engine;
using Granary.Inference.Tests.Models;

namespace Granary.Inference.Tests.Generation;

/// <summary>Rows S5, S7 and S9 of the goldens' README: greedy ids and scores of Hugging Face. Log-probabilities within 1e-4 in float32.</summary>
public sealed class GoldenGenerationTests(EngineFixture engine)
{
    [Theory, MemberData(nameof(GoldenForward.Names), MemberType = typeof(GoldenForward))]
    public async Task S5_GreedyWithoutContext_IdsAreHuggingFaces(string name)
    {
        var model = await engine.GoldenModelAsync(name);
        foreach (var run in Runs(name))
        {
            using var empty = await ContextRun.PrefillAsync(model, []);
            var answer = await empty.AskAsync(run.Prompt, Greedy(run.Greedy.Length));
            Assert.Equal(run.Greedy, answer.TokenIds);
            Assert.Equal("length", answer.FinishReason);
        }
    }

    [Theory, MemberData(nameof(GoldenForward.Names), MemberType = typeof(GoldenForward))]
    public async Task S5_GreedyOverContext_IdsAreHuggingFaces(string name)
    {
        var model = await engine.GoldenModelAsync(name);
        foreach (var run in Runs(name).Where(run => run.Prompt.Length > 1))
        {
            using var context = await ContextRun.PrefillAsync(model, run.Prompt[..^1]);
            var answer = await context.AskAsync(run.Prompt[^1..], Greedy(run.Greedy.Length));
            Assert.Equal(run.Greedy, answer.TokenIds);
        }
    }

    [Theory, MemberData(nameof(GoldenForward.Names), MemberType = typeof(GoldenForward))]
    public async Task S9_ContinuationScored_LogProbabilitiesAreHuggingFaces(string name)
    {
        var model = await engine.GoldenModelAsync(name);
        foreach (var run in Runs(name))
        {
            using var context = await ContextRun.PrefillAsync(model, run.Prompt);
            var scores = await context.ScoreAsync(run.Scored);
            Assert.InRange(GoldenForward.Difference(run.LogProbabilities, scores), 0, 1e-4);
            Assert.Equal(scores, await context.ScoreAsync(run.Scored));
        }
    }

    [Theory, MemberData(nameof(GoldenForward.Names), MemberType = typeof(GoldenForward))]
    public async Task S9_ContinuationsScoredTogether_EachHasTheBitsItHasAlone(string name)
    {
        var model = await engine.GoldenModelAsync(name);
        var run = Runs(name).MaxBy(run => run.Prompt.Length);
        using var context = await ContextRun.PrefillAsync(model, run.Prompt);
        int[][] continuations = [run.Scored, run.Greedy, run.Scored[..1], [.. run.Scored.Reverse()], run.Scored];
        var together = await context.ScoreAsync(continuations);
        Assert.Equal(continuations.Length, together.Length);
        foreach (var (continuation, scores) in continuations.Zip(together))
        {
            Assert.Equal(await context.ScoreAsync(continuation), scores);
        }

        Assert.InRange(GoldenForward.Difference(run.LogProbabilities, together[^1]), 0, 1e-4);
    }

    [Theory, MemberData(nameof(GoldenForward.Names), MemberType = typeof(GoldenForward))]
    public async Task Score_OfWhatAnAskDecoded_IsTheAsksLogProbabilities(string name)
    {
        var model = await engine.GoldenModelAsync(name);
        var run = Runs(name).MaxBy(run => run.Prompt.Length);
        using var context = await ContextRun.PrefillAsync(model, run.Prompt[..^1]);
        var answer = await context.AskAsync(run.Prompt[^1..], Greedy(8));
        var scores = await context.ScoreAsync([run.Prompt[^1], .. answer.TokenIds]);

        // The ask decodes a row a step, a score runs all rows in one: other shapes, so the tolerance of float32 logits.
        Assert.InRange(GoldenForward.Difference(answer.LogProbabilities ?? [], [.. scores.Skip(1)]), 0, 1e-4);
    }

    [Theory, MemberData(nameof(GoldenForward.Names), MemberType = typeof(GoldenForward))]
    public async Task StopIds_FirstGreedyTokenIsOne_EndsTheAnswerWithIt(string name)
    {
        var model = await engine.GoldenModelAsync(name);
        var run = Runs(name).MaxBy(run => run.Prompt.Length);
        using var context = await ContextRun.PrefillAsync(model, run.Prompt[..^1]);
        var answer = await context.AskAsync(run.Prompt[^1..], Greedy(8) with { StopIds = [run.Greedy[2]] });
        var end = Array.IndexOf(run.Greedy, run.Greedy[2]);
        Assert.Equal(run.Greedy[..(end + 1)], answer.TokenIds);
        Assert.Equal("stop", answer.FinishReason);
        var unknown = await Assert.ThrowsAsync<InferenceException>(() => context.AskAsync([1], Greedy(1) with { StopIds = [model.Config.VocabularySize] }));
        Assert.Equal("TokenOutOfVocabulary", unknown.Code);
    }

    [Theory, MemberData(nameof(GoldenForward.Names), MemberType = typeof(GoldenForward))]
    public async Task RepetitionPenalty_OverContext_EachTokenIsTheHighestPenalizedLogit(string name)
    {
        var model = await engine.GoldenModelAsync(name);
        var run = Runs(name).MaxBy(run => run.Prompt.Length);
        using var context = await ContextRun.PrefillAsync(model, run.Prompt[..^1]);
        var answer = await context.AskAsync(run.Prompt[^1..], Greedy(8) with { RepetitionPenalty = 5 });
        Assert.NotEqual(run.Greedy[..8], answer.TokenIds);

        var forward = await model.ForwardAsync(new ForwardRequest { TokenIds = [.. run.Prompt, .. answer.TokenIds] }, default);
        var logits = MemoryMarshal.Cast<byte, float>(forward.Logits).ToArray().Chunk(model.Config.VocabularySize).ToArray();
        for (var index = 0; index < 8; index++)
        {
            var seen = run.Prompt.Concat(answer.TokenIds.Take(index)).ToHashSet();
            var penalized = logits[run.Prompt.Length - 1 + index].Select((logit, id) => !seen.Contains(id) ? logit : logit > 0 ? logit / 5 : logit * 5).ToArray();
            Assert.InRange(penalized.Max() - penalized[answer.TokenIds[index]], 0, 5e-4); // 1e-4 of a logit, five times
        }

        // Log-probabilities are those of the raw logits: the same tokens' scores, which know no penalty.
        var scores = await context.ScoreAsync([run.Prompt[^1], .. answer.TokenIds]);
        Assert.InRange(GoldenForward.Difference(answer.LogProbabilities ?? [], [.. scores.Skip(1)]), 0, 1e-4);
    }

    [Fact]
    public async Task S5_S7_SampleModelAnswersItsDataset_IdsTextAndLogProbabilitiesAreHuggingFaces()
    {
        var model = await engine.ModelAsync(Path.Combine(AppContext.BaseDirectory, "Models", "ledger-4m"));
        var tokenizer = model.Tokenizer ?? throw new InvalidOperationException("The sample model has a tokenizer.");
        using var sample = JsonDocument.Parse(File.ReadAllText(EngineFixture.Golden("sample.json")));
        var contexts = Contexts();
        var answered = 0;
        foreach (var item in sample.RootElement.EnumerateArray().GroupBy(row => row.GetProperty("item").GetString() ?? string.Empty))
        {
            var ids = tokenizer.Encode(contexts(item.Key));
            ids = ids.Length > model.Config.Window ? ids[^(model.Config.Window - 256)..] : ids;
            using var context = await ContextRun.PrefillAsync(model, ids);
            foreach (var row in item)
            {
                Assert.Equal(row.GetProperty("context_tokens").GetInt32(), ids.Length);
                var answer = await context.AskAsync(Ints(row, "prompt"), Greedy(8));
                Assert.Equal(Ints(row, "greedy"), answer.TokenIds);
                Assert.Equal(row.GetProperty("text").GetString(), answer.Text);
                Assert.InRange(GoldenForward.Difference(Doubles(row, "log_probabilities"), answer.LogProbabilities), 0, 1e-4);
                answered++;
            }
        }

        Assert.Equal(sample.RootElement.GetArrayLength(), answered);
    }

    private static SamplingOptions Greedy(int tokens) => new() { MaxNewTokens = tokens, IgnoreEos = true, LogProbabilities = true };

    // The last item is two ledgers in one.
    private static Func<string, string> Contexts()
    {
        var lines = File.ReadLines(EngineFixture.Golden("../Datasets/ledgers.jsonl")).Select(line => JsonDocument.Parse(line).RootElement);
        var byId = lines.ToDictionary(item => item.GetProperty("id").GetString() ?? string.Empty, item => item.GetProperty("context").GetString() ?? string.Empty);
        return id => string.Join('\n', id.Split('+').Select(part => byId[part]));
    }

    private static IEnumerable<(int[] Prompt, int[] Greedy, int[] Scored, double[] LogProbabilities)> Runs(string name)
    {
        using var file = JsonDocument.Parse(File.ReadAllText(EngineFixture.Golden($"generate/{name}.json")));
        return [.. file.RootElement.GetProperty("runs").EnumerateArray().Select(run => (Ints(run, "prompt"), Ints(run, "greedy"), Ints(run, "scored"), Doubles(run, "log_probabilities")))];
    }

    private static int[] Ints(JsonElement element, string name) => [.. element.GetProperty(name).EnumerateArray().Select(value => value.GetInt32())];

    private static double[] Doubles(JsonElement element, string name) => [.. element.GetProperty(name).EnumerateArray().Select(value => value.GetDouble())];
}
