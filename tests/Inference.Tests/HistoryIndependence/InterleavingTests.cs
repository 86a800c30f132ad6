using CsCheck;
using Granary.Inference.Engine;
using Granary.Inference.Pages;
using Granary.Inference.Tests.Engine;

namespace Granary.Inference.Tests.HistoryIndependence;

/// <summary>Random interleavings of create, ask, cancel and evict over several contexts: every ask that completes answers what it answers alone.</summary>
[Trait("Invariant", "6")]
public sealed class InterleavingTests(HistoryModels models) : IClassFixture<HistoryModels>
{
    private static readonly int Seconds = LongForm.Wanted ? 300 : 3;
    private static readonly ContextCase[] Contexts = [new(3, 5, false, 1), new(256, 2, true, 2), new(257, 9, false, 3), new(600, 40, true, 4)];

    private enum Act
    {
        Create,
        Ask,
        Cancel,
        Evict,
    }

    [Theory]
    [InlineData(KvDtype.Float32)]
    [InlineData(KvDtype.BFloat16)]
    public async Task Interleaving_OfAnyActs_EveryCompletedAskHasItsReferenceBits(KvDtype dtype)
    {
        const string name = "head-16";
        var model = await models.GetAsync(name, dtype);
        var references = new List<string>();
        foreach (var ask in Contexts)
        {
            references.Add(await models.ReferenceAsync(name, dtype, ask));
        }

        // Shrinks to the fewest acts; a failure prints its seed, to be given as `seed:`.
        var acts = Gen.Select(Gen.Enum<Act>(), Gen.Int[0, Contexts.Length - 1]).Array[1, 24];
        await acts.SampleAsync(async drawn => await RunAsync(model, references, drawn), time: Seconds, threads: 1);
    }

    private static async Task RunAsync(LoadedModel model, List<string> references, (Act Act, int Context)[] acts)
    {
        var budget = ContextRun.NewBudget();
        var contexts = new Task<List<KvPage>>?[Contexts.Length];
        var asks = new List<(int Context, Task<string?> Answer, CancellationTokenSource Source)>();
        foreach (var (act, index) in acts)
        {
            switch (act)
            {
                case Act.Create:
                    contexts[index] ??= CreateAsync(model, budget, Contexts[index]);
                    break;
                case Act.Ask:
                    var pages = contexts[index] ??= CreateAsync(model, budget, Contexts[index]);
                    var source = new CancellationTokenSource();
                    asks.Add((index, AskAsync(model, budget, await LendAsync(pages), Contexts[index], source.Token), source));
                    break;
                case Act.Cancel when asks.FindLastIndex(ask => ask.Context == index) is >= 0 and var last:
                    await asks[last].Source.CancelAsync();
                    break;
                case Act.Evict when contexts[index] is { } evicted:
                    contexts[index] = null;
                    Release(await evicted);
                    break;
                default:
                    break; // nothing to cancel or evict
            }
        }

        foreach (var (index, answer, source) in asks)
        {
            var bits = await answer;
            Assert.True(bits == references[index] || (bits is null && source.IsCancellationRequested), $"Context {index} answered {bits ?? "nothing"}, alone {references[index]}.");
            source.Dispose();
        }

        foreach (var left in contexts)
        {
            Release(left is null ? [] : await left);
        }

        Assert.Equal(0, budget.UsedBytes);
    }

    private static async Task<List<KvPage>> CreateAsync(LoadedModel model, KvBudget budget, ContextCase context)
    {
        var ids = context.ContextIds(model.Config.VocabularySize);
        var pages = new List<KvPage>();
        using var reservation = await budget.AdmitAsync(ids.Length * model.Layout.BytesPerToken, false, default);
        for (var start = 0; start < ids.Length; start += model.Layout.PageSize)
        {
            var count = Math.Min(model.Layout.PageSize, ids.Length - start);
            pages.Add(KvPage.Allocate(model.Layout, start, count, reservation));
            await model.PrefillPageAsync(pages[..^1], pages[^1], ids.AsMemory(start, count), false, default);
        }

        return pages;
    }

    // An ask has references of its own: an eviction meanwhile only drops the context's.
    private static async Task<List<KvPage>> LendAsync(Task<List<KvPage>> pages)
    {
        var lent = await pages;
        lent.ForEach(page => page.AddReference());
        return lent;
    }

    private static async Task<string?> AskAsync(LoadedModel model, KvBudget budget, List<KvPage> pages, ContextCase ask, CancellationToken cancellationToken)
    {
        try
        {
            var capacity = ask.PromptLength + ask.Options.MaxNewTokens;
            using var reservation = await budget.AdmitAsync(capacity * model.Layout.BytesPerToken, false, cancellationToken);
            using var tail = KvTail.Allocate(model.Layout, ask.Length, capacity, reservation);
            return AnswerBits.Of(await model.GenerateAsync(new GenerationWork
            {
                Pages = pages,
                PromptIds = ask.PromptIds(model.Config.VocabularySize),
                Tail = tail,
                Options = ask.Options,
                CancellationToken = cancellationToken,
            }));
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        finally
        {
            Release(pages);
        }
    }

    private static void Release(List<KvPage> pages) => pages.ForEach(page => page.Release());
}
