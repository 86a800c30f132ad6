using System.Security.Cryptography;
using Granary.Inference.Engine;
using Granary.Inference.Errors;
using Granary.Inference.Pages;
using Granary.Inference.Tests.Engine;

namespace Granary.Inference.Tests.HistoryIndependence;

/// <summary>Design, section 3: whatever happened before and happens beside it, an ask answers what it answers alone, to the bit.</summary>
[Trait("Invariant", "6")]
public sealed class HistoryIndependenceTests(HistoryModels models) : IClassFixture<HistoryModels>
{
    public static TheoryData<string, KvDtype> Models => HistoryModels.All;

    [Theory, MemberData(nameof(Models))]
    public async Task Ask_Among16CreatedAndAskedAtOnce_SameBits(string name, KvDtype dtype)
    {
        var model = await models.GetAsync(name, dtype);
        var expected = await ReferencesAsync(name, dtype, ContextCase.All);
        var answers = await Task.WhenAll(ContextCase.All.Select((ask, index) => HistoryModels.AnswerAsync(model, ask, batch: index % 3 == 2)));

        Assert.Equal(expected, answers);
    }

    [Theory, MemberData(nameof(Models))]
    public async Task Ask_BesideThePrefillOf1500Tokens_SameBits(string name, KvDtype dtype)
    {
        var model = await models.GetAsync(name, dtype);
        var expected = await ReferencesAsync(name, dtype, ContextCase.All);
        using var asked = new CancellationTokenSource();
        var prefills = PrefillUntilAsync(model, asked.Token);
        var answers = new List<string>();
        foreach (var ask in ContextCase.All)
        {
            answers.Add(await HistoryModels.AnswerAsync(model, ask));
        }

        await asked.CancelAsync();
        await prefills;
        Assert.Equal(expected, answers);
    }

    [Theory, MemberData(nameof(Models))]
    public async Task Ask_AmongAsksThatAreCancelled_SameBits(string name, KvDtype dtype)
    {
        var model = await models.GetAsync(name, dtype);
        var ask = new ContextCase(257, 17, true, 4);
        var expected = await models.ReferenceAsync(name, dtype, ask);
        using var context = await ContextRun.PrefillAsync(model, ask.ContextIds(model.Config.VocabularySize));
        for (var after = 1; after <= 3; after++)
        {
            using var source = new CancellationTokenSource();
            var (left, seen) = (after, 0);
            var neighbours = Enumerable.Range(0, 3).Select(index => context.AskAsync(
                ContextCase.Ids(1 + index, index, model.Config.VocabularySize),
                ask.OptionsOn(model) with { MaxNewTokens = 1000 },
                _ =>
                {
                    if (++seen == left) // on the device thread only
                    {
                        source.Cancel();
                    }
                },
                cancellationToken: source.Token)).ToArray();
            var answer = HistoryModels.AnswerAsync(context, ask);
            foreach (var neighbour in neighbours)
            {
                await Assert.ThrowsAnyAsync<OperationCanceledException>(() => neighbour);
            }

            Assert.Equal(expected, await answer);
        }
    }

    [Theory, MemberData(nameof(Models))]
    public async Task Ask_PagesEvictedAndComputedAgainOrRestored_SameBits(string name, KvDtype dtype)
    {
        var model = await models.GetAsync(name, dtype);
        foreach (var ask in ContextCase.All)
        {
            var expected = await models.ReferenceAsync(name, dtype, ask);
            var ids = ask.ContextIds(model.Config.VocabularySize);
            byte[][] stored;
            using (var first = await ContextRun.PrefillAsync(model, ids))
            {
                stored = first.Bytes();
            }

            using (var recomputed = await ContextRun.PrefillAsync(model, ids))
            {
                AssertSame(stored, recomputed.Bytes());
                Assert.Equal(expected, await HistoryModels.AnswerAsync(recomputed, ask));
            }

            using var restored = await ContextRun.RestoreAsync(model, ids, stored);
            Assert.Equal(expected, await HistoryModels.AnswerAsync(restored, ask));
            AssertSame(stored, restored.Bytes()); // asks never write shared pages
        }
    }

    [Theory, MemberData(nameof(Models))]
    public async Task Ask_OnAnotherEngineWithOneThreadOrTwo_SameBits(string name, KvDtype dtype)
    {
        var expected = await ReferencesAsync(name, dtype, ContextCase.All);
        foreach (var threads in (int[])[1, 2])
        {
            await using var engine = HistoryModels.NewEngine(threads);
            var model = await models.LoadAsync(engine, name, dtype);
            var answers = new List<string>();
            foreach (var ask in ContextCase.All)
            {
                answers.Add(await HistoryModels.AnswerAsync(model, ask));
            }

            Assert.Equal(expected, answers);
        }
    }

    // A last page of few rows over full pages, the shape whose kernels in libtorch are the likeliest to share work by thread count.
    [Theory]
    [InlineData(HistoryModels.Sample, KvDtype.Float32)]
    [InlineData(HistoryModels.Sample, KvDtype.BFloat16)]
    [InlineData(HistoryModels.Sample, KvDtype.Float64)]
    [InlineData("head-16", KvDtype.Float32)]
    [InlineData("head-16", KvDtype.Float64)]
    [InlineData("head-80", KvDtype.Float64)]
    public async Task Prefill_LastPageOfAnyRowsWithOneThreadOrTwo_SameBits(string name, KvDtype dtype)
    {
        var first = await LastPagesAsync(name, dtype, threads: 1);
        var second = await LastPagesAsync(name, dtype, threads: 2);

        Assert.Empty(first.Zip(second).Where(pair => !pair.First.Kv.SequenceEqual(pair.Second.Kv)).Select(pair => pair.First.Page));
    }

    [Theory, MemberData(nameof(Models))]
    public async Task Ask_ContextGrownInSmallSteps_SameBits(string name, KvDtype dtype)
    {
        var model = await models.GetAsync(name, dtype);
        foreach (var ask in ContextCase.All.Where(ask => !ask.Sampled))
        {
            var expected = await models.ReferenceAsync(name, dtype, ask);
            using var whole = await ContextRun.PrefillAsync(model, ask.ContextIds(model.Config.VocabularySize));
            using var grown = await GrowAsync(model, whole.Ids);

            AssertSame(whole.Bytes(), grown.Bytes());
            Assert.Equal(expected, await HistoryModels.AnswerAsync(grown, ask));
        }
    }

    [Theory, MemberData(nameof(Models))]
    public async Task Ask_SequenceSplitAtAnyPageBoundaryOrNotCached_SameBits(string name, KvDtype dtype)
    {
        var model = await models.GetAsync(name, dtype);
        foreach (var length in (int[])[257, 511, 513, 780, 1500])
        {
            var ids = ContextCase.Ids(length, 31 + length, model.Config.VocabularySize);
            var options = new ContextCase(0, 0, length % 2 == 1, 0).OptionsOn(model);
            var answers = new List<string>();
            for (var cut = 0; cut < length; cut += model.Layout.PageSize)
            {
                using var context = await ContextRun.PrefillAsync(model, ids[..cut]);
                answers.Add(AnswerBits.Of(await context.AskAsync(ids[cut..], options)));
            }

            Assert.All(answers, answer => Assert.Equal(answers[0], answer));
        }
    }

    [Theory]
    [InlineData(512)]
    [InlineData(768)]
    public async Task Ask_PagesOfAnotherSize_SplitAnywhereByOneThreadOrTwoAndBesideOthers_SameBits(int pageSize)
    {
        var answers = new List<string>();
        foreach (var threads in (int[])[1, 2])
        {
            await using var engine = HistoryModels.NewEngine(threads);
            var model = await models.LoadAsync(engine, "head-80", KvDtype.Float32, pageSize);
            var ids = ContextCase.Ids(1600, 61, model.Config.VocabularySize);
            var options = new ContextCase(0, 0, true, 0).OptionsOn(model);
            Assert.True(model.Numerics.Exact);
            for (var cut = 0; cut < ids.Length; cut += pageSize)
            {
                using var context = await ContextRun.PrefillAsync(model, ids[..cut]);
                answers.Add(AnswerBits.Of(await context.AskAsync(ids[cut..], options)));
                var beside = Enumerable.Range(1, 5).Select(number => HistoryModels.AnswerAsync(model, new ContextCase(number * 70, number, false, number))).ToArray();
                answers.Add(AnswerBits.Of(await context.AskAsync(ids[cut..], options)));
                await Task.WhenAll(beside);
            }
        }

        Assert.All(answers, answer => Assert.Equal(answers[0], answer));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(48)]
    [InlineData(300)]
    public async Task Load_PagesThatAreNotWholeBlocks_AreRefused(int pageSize)
    {
        await using var engine = HistoryModels.NewEngine(threads: 1);

        var refused = await Assert.ThrowsAsync<InferenceException>(() => models.LoadAsync(engine, "head-80", KvDtype.Float32, pageSize));

        Assert.Equal("InvalidArgument", refused.Code);
        Assert.Contains($"{pageSize} tokens", refused.Message, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Models))]
    public async Task Ask_16OverOneContextAtOnce_SameBitsAsEachOverItsOwn(string name, KvDtype dtype)
    {
        var model = await models.GetAsync(name, dtype);
        var vocabulary = model.Config.VocabularySize;
        foreach (var length in (int[])[256, 1500])
        {
            using var shared = await ContextRun.PrefillAsync(model, ContextCase.Ids(length, 41, vocabulary));
            ContextCase[] asks = [.. Enumerable.Range(0, 16).Select(index => new ContextCase(length, 1 + (index * 3), index % 2 == 1, index))];
            var own = new List<string>();
            foreach (var ask in asks)
            {
                using var copy = await ContextRun.RestoreAsync(model, shared.Ids, shared.Bytes());
                own.Add(await HistoryModels.AnswerAsync(copy, ask));
            }

            Assert.Equal(own, await Task.WhenAll(asks.Select(ask => HistoryModels.AnswerAsync(shared, ask))));
            Assert.True(own.Distinct().Count() > 8, "The asks differ, so most answers must: otherwise equality says nothing.");
        }
    }

    [Theory, MemberData(nameof(Models))]
    public async Task Score_AmongAsksAndScores_SameBits(string name, KvDtype dtype)
    {
        var model = await models.GetAsync(name, dtype);
        var vocabulary = model.Config.VocabularySize;
        using var context = await ContextRun.PrefillAsync(model, ContextCase.Ids(511, 51, vocabulary));
        int[][] continuations = [.. ((int[])[1, 2, 4, 9, 30, 260]).Select(length => ContextCase.Ids(length, length, vocabulary))];
        var alone = new List<string>();
        foreach (var continuation in continuations)
        {
            alone.Add(AnswerBits.Of(await context.ScoreAsync(continuation)));
        }

        var asks = Task.WhenAll(ContextCase.All.Where(ask => ask.Length < 300).Select(ask => HistoryModels.AnswerAsync(model, ask)));
        var together = await Task.WhenAll(continuations.Select(context.ScoreAsync));
        await asks;
        Assert.Equal(alone, together.Select(AnswerBits.Of));
    }

    // xunit compares megabytes one boxed byte at a time.
    private static void AssertSame(byte[][] expected, byte[][] actual) => Assert.Equal(Array.ConvertAll(expected, SHA256.HashData), Array.ConvertAll(actual, SHA256.HashData));

    private async Task<List<string>> ReferencesAsync(string name, KvDtype dtype, IEnumerable<ContextCase> asks)
    {
        var references = new List<string>();
        foreach (var ask in asks)
        {
            references.Add(await models.ReferenceAsync(name, dtype, ask));
        }

        return references;
    }

    private async Task<List<(string Page, byte[] Kv)>> LastPagesAsync(string name, KvDtype dtype, int threads)
    {
        await using var engine = HistoryModels.NewEngine(threads);
        var model = await models.LoadAsync(engine, name, dtype);
        var pages = new List<(string, byte[])>();
        foreach (var past in (int[])[0, 256, 512])
        {
            foreach (var rows in (int[])[.. Enumerable.Range(1, 9), 17, 255])
            {
                using var context = await ContextRun.PrefillAsync(model, ContextCase.Ids(past + rows, 3, model.Config.VocabularySize));
                pages.Add(($"{rows} rows after {past}", context.Pages[^1].Span.ToArray()));
            }
        }

        return pages;
    }

    private static async Task PrefillUntilAsync(LoadedModel model, CancellationToken stop)
    {
        for (var seed = 100; !stop.IsCancellationRequested; seed++)
        {
            using var context = await ContextRun.PrefillAsync(model, ContextCase.Ids(1500, seed, model.Config.VocabularySize), batch: seed % 2 == 1);
        }
    }

    // Full pages stay; a part of a page is dropped and computed again from the page's start, which is what append does.
    private static async Task<ContextRun> GrowAsync(LoadedModel model, int[] ids)
    {
        var grown = ContextRun.Empty(model, ids);
        var size = model.Layout.PageSize;
        foreach (var length in ((int[])[1, 2, 100, 255, 256, 300, 512, 700, ids.Length]).Where(length => length <= ids.Length).Distinct().Order())
        {
            if (grown.Pages.Count > 0 && grown.Pages[^1].Count < size)
            {
                grown.Pages[^1].Release();
                grown.Pages.RemoveAt(grown.Pages.Count - 1);
            }

            for (var start = grown.Pages.Count * size; start < length; start += size)
            {
                await grown.AddPageAsync(start, Math.Min(size, length - start));
            }
        }

        return grown;
    }
}
