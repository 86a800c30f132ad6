using Granary.Inference.Engine;
using Granary.Inference.Generation;
using Granary.Inference.Pages;

namespace Granary.Inference.Tests.Engine;

/// <summary>Many requests in one step: whoever shares it, a request gets the bits that it gets alone, and fails alone.</summary>
public sealed class SharedStepTests(EngineFixture engine)
{
    [Theory]
    [InlineData("quarter-rotary", KvDtype.Float32)]
    [InlineData("quarter-rotary", KvDtype.BFloat16)]
    [InlineData("serial", KvDtype.Float32)]
    [InlineData("head-80", KvDtype.BFloat16)]
    [InlineData("full-rotary-tanh", KvDtype.Float32)]
    [InlineData("tied-new-config", KvDtype.BFloat16)]
    public async Task Asks_SixteenAtOnceBesideAPrefill_EachAsAlone(string name, KvDtype dtype)
    {
        var model = await engine.GoldenModelAsync(name, dtype);
        var lengths = Enumerable.Range(0, 8).Select(index => Math.Min(1 + (index * 37), model.Config.Window / 2)).ToArray();
        var contexts = new List<ContextRun>();
        foreach (var length in lengths)
        {
            contexts.Add(await ContextRun.PrefillAsync(model, Ids(model, length, seed: length)));
        }

        // Two asks over each context: one greedy, one sampled, prompts of 1 to 47 tokens on both sides of what the row kernels take.
        var asks = Enumerable.Range(0, 16)
            .Select(index => (Context: contexts[index / 2], Prompt: Ids(model, 1 + (index * 46 / 15), seed: index), Options: Options(12, sampled: index % 2 == 1)))
            .ToArray();
        var alone = new List<GenerationResult>();
        foreach (var (context, prompt, options) in asks)
        {
            alone.Add(await context.AskAsync(prompt, options));
        }

        var prefill = ContextRun.PrefillAsync(model, Ids(model, model.Config.Window * 3 / 4, seed: 99));
        var together = await Task.WhenAll(asks.Select(ask => ask.Context.AskAsync(ask.Prompt, ask.Options)));
        (await prefill).Dispose();

        for (var index = 0; index < asks.Length; index++)
        {
            Assert.Equal(alone[index].TokenIds, together[index].TokenIds);
            Assert.Equal(Bits(alone[index]), Bits(together[index]));
        }

        contexts.ForEach(static context => context.Dispose());
    }

    [Fact]
    public async Task Ask_CancelledAmongOthers_OthersAreAsAlone()
    {
        var model = await engine.GoldenModelAsync("quarter-rotary");
        using var context = await ContextRun.PrefillAsync(model, Ids(model, 300, seed: 1));
        var prompt = Ids(model, 6, seed: 2);
        var alone = await context.AskAsync(prompt, Options(30, sampled: true));
        using var leave = new CancellationTokenSource();

        var others = Enumerable.Range(0, 6).Select(_ => context.AskAsync(prompt, Options(30, sampled: true))).ToArray();
        var cancelled = context.AskAsync(prompt, Options(400, sampled: false), cancellationToken: leave.Token);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);

        foreach (var other in await Task.WhenAll(others))
        {
            Assert.Equal(Bits(alone), Bits(other));
        }
    }

    private static SamplingOptions Options(int tokens, bool sampled) =>
        new() { MaxNewTokens = tokens, IgnoreEos = true, LogProbabilities = true, Temperature = sampled ? 0.8 : 0, Seed = 7 };

    private static int[] Ids(LoadedModel model, int length, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(model.Config.VocabularySize))];
    }

    private static long[] Bits(GenerationResult answer) => Array.ConvertAll(answer.LogProbabilities ?? [], BitConverter.DoubleToInt64Bits);
}
