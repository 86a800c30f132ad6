using CsCheck;
using Granary.Inference.Engine;
using Granary.Inference.Pages;
using Granary.Inference.Tests.Engine;
using Granary.Testing;

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
        CreateInBatch,
        CancelCreate,
        Ask,
        AskInBatch,
        CancelAsk,
        Evict,
    }

    [Theory]
    [InlineData(HistoryModels.Sample, KvDtype.Float32)]
    [InlineData("head-16", KvDtype.Float32)]
    [InlineData("head-80", KvDtype.BFloat16)]
    public async Task Interleaving_OfAnyActs_EveryCompletedAskHasItsReferenceBits(string name, KvDtype dtype)
    {
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

    // No act waits for another: asks are sent while their context is created, contexts are evicted while they are asked.
    private static async Task RunAsync(LoadedModel model, List<string> references, (Act Act, int Context)[] acts)
    {
        var budget = ContextRun.NewBudget();
        var contexts = new Creation?[Contexts.Length];
        var all = new List<Creation>();
        var asks = new List<(int Context, Creation Creation, Task<string?> Answer, CancellationTokenSource Source)>();
        foreach (var (act, index) in acts)
        {
            switch (act)
            {
                case Act.Create or Act.CreateInBatch:
                    Created(index, act == Act.CreateInBatch);
                    break;
                case Act.CancelCreate when contexts[index] is { } cancelled:
                    contexts[index] = null;
                    await cancelled.Source.CancelAsync();
                    cancelled.Leave();
                    break;
                case Act.Ask or Act.AskInBatch:
                    var (creation, source) = (Created(index, batch: false), new CancellationTokenSource());
                    creation.Enter();
                    asks.Add((index, creation, AskAsync(model, budget, creation, Contexts[index], act == Act.AskInBatch, source.Token), source));
                    break;
                case Act.CancelAsk when asks.FindLastIndex(ask => ask.Context == index) is >= 0 and var last:
                    await asks[last].Source.CancelAsync();
                    break;
                case Act.Evict when contexts[index] is { } evicted:
                    contexts[index] = null;
                    evicted.Leave();
                    break;
                default:
                    break; // nothing to cancel or evict
            }
        }

        foreach (var (index, creation, answer, source) in asks)
        {
            var bits = await answer;
            var mayBeNone = source.IsCancellationRequested || creation.Source.IsCancellationRequested;
            Assert.True(bits == references[index] || (bits is null && mayBeNone), $"Context {index} answered {bits ?? "nothing"}, alone {references[index]}.");
            source.Dispose();
        }

        Array.ForEach(contexts, left => left?.Leave());
        foreach (var creation in all)
        {
            await creation.Freed;
            creation.Source.Dispose();
        }

        Assert.Equal(0, budget.UsedBytes);

        Creation Created(int index, bool batch)
        {
            if (contexts[index] is not { } creation)
            {
                contexts[index] = creation = new Creation();
                creation.Pages = CreateAsync(model, budget, Contexts[index], batch, creation.Source.Token);
                all.Add(creation);
            }

            return creation;
        }
    }

    private static async Task<List<KvPage>> CreateAsync(LoadedModel model, KvBudget budget, ContextCase context, bool batch, CancellationToken cancellationToken)
    {
        var ids = context.ContextIds(model.Config.VocabularySize);
        var pages = new List<KvPage>();
        try
        {
            using var reservation = await budget.AdmitAsync(ids.Length * model.Layout.BytesPerToken, batch, cancellationToken);
            for (var start = 0; start < ids.Length; start += model.Layout.PageSize)
            {
                var count = Math.Min(model.Layout.PageSize, ids.Length - start);
                pages.Add(KvPage.Allocate(model.Layout, start, count, reservation));
                await model.PrefillPageAsync(pages[..^1], pages[^1], ids.AsMemory(start, count), batch, cancellationToken);
            }

            return pages;
        }
        catch
        {
            pages.ForEach(static page => page.Release());
            throw;
        }
    }

    private static async Task<string?> AskAsync(LoadedModel model, KvBudget budget, Creation creation, ContextCase ask, bool batch, CancellationToken cancellationToken)
    {
        try
        {
            var pages = await creation.Pages;
            var options = ask.OptionsOn(model);
            var capacity = ask.PromptLength + options.MaxNewTokens;
            using var reservation = await budget.AdmitAsync(capacity * model.Layout.BytesPerToken, batch, cancellationToken);
            using var tail = KvTail.Allocate(model.Layout, ask.Length, capacity, reservation);
            return AnswerBits.Of(await model.GenerateAsync(new GenerationWork
            {
                Pages = pages,
                PromptIds = ask.PromptIds(model.Config.VocabularySize),
                Tail = tail,
                Options = options,
                Batch = batch,
                CancellationToken = cancellationToken,
            }));
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        finally
        {
            creation.Leave();
        }
    }

    // A context that is being created or is there, used by its owner and by asks; the last one to leave frees its pages.
    private sealed class Creation
    {
        private readonly TaskCompletionSource _freed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _users = 1;

        public CancellationTokenSource Source { get; } = new();

        public Task<List<KvPage>> Pages { get; set; } = Task.FromResult<List<KvPage>>([]);

        public Task Freed => _freed.Task;

        public void Enter() => Interlocked.Increment(ref _users);

        public void Leave()
        {
            if (Interlocked.Decrement(ref _users) == 0)
            {
                _ = FreeAsync();
            }
        }

        private async Task FreeAsync()
        {
            try
            {
                (await Pages).ForEach(static page => page.Release());
                _freed.TrySetResult();
            }
            catch (OperationCanceledException)
            {
                _freed.TrySetResult(); // a cancelled creation has freed its pages
            }
            catch (Exception exception)
            {
                _freed.TrySetException(exception);
            }
        }
    }
}
