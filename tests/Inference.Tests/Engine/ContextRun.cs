using Granary.Inference.Engine;
using Granary.Inference.Generation;
using Granary.Inference.Pages;

namespace Granary.Inference.Tests.Engine;

/// <summary>A context's pages on a model, as a grain would hold them: admitted, computed in order, released at the end.</summary>
internal sealed class ContextRun : IDisposable
{
    private ContextRun(LoadedModel model, KvBudget budget, int[] ids)
    {
        (Model, Budget, Ids) = (model, budget, ids);
    }

    public LoadedModel Model { get; }

    public KvBudget Budget { get; }

    public int[] Ids { get; }

    public List<KvPage> Pages { get; } = [];

    public static KvBudget NewBudget() => new(1L << 30);

    public static async Task<ContextRun> PrefillAsync(LoadedModel model, int[] ids, KvBudget? budget = null, bool batch = false)
    {
        var context = new ContextRun(model, budget ?? NewBudget(), ids);
        using var reservation = await context.Budget.AdmitAsync(ids.Length * model.Layout.BytesPerToken, batch, default);
        for (var start = 0; start < ids.Length; start += model.Layout.PageSize)
        {
            var count = Math.Min(model.Layout.PageSize, ids.Length - start);
            var page = KvPage.Allocate(model.Layout, start, count, reservation);
            context.Pages.Add(page);
            await model.PrefillPageAsync(context.Pages[..^1], page, ids.AsMemory(start, count), batch, default);
        }

        return context;
    }

    /// <summary>A context whose pages the test adds itself.</summary>
    public static ContextRun Empty(LoadedModel model, int[] ids) => new(model, NewBudget(), ids);

    /// <summary>Admits and computes the next page.</summary>
    public async Task AddPageAsync(int start, int count)
    {
        using var reservation = await Budget.AdmitAsync(count * Model.Layout.BytesPerToken, false, default);
        var page = KvPage.Allocate(Model.Layout, start, count, reservation);
        Pages.Add(page);
        await Model.PrefillPageAsync(Pages[..^1], page, Ids.AsMemory(start, count), false, default);
    }

    /// <summary>The same context out of stored bytes, as another process would restore it.</summary>
    public static async Task<ContextRun> RestoreAsync(LoadedModel model, int[] ids, IReadOnlyList<byte[]> stored)
    {
        var context = new ContextRun(model, NewBudget(), ids);
        using var reservation = await context.Budget.AdmitAsync(ids.Length * model.Layout.BytesPerToken, false, default);
        for (var index = 0; index < stored.Count; index++)
        {
            var start = index * model.Layout.PageSize;
            var page = KvPage.Allocate(model.Layout, start, Math.Min(model.Layout.PageSize, ids.Length - start), reservation);
            stored[index].CopyTo(page.Span);
            context.Pages.Add(page);
        }

        return context;
    }

    public byte[][] Bytes() => [.. Pages.Select(page => page.Span.ToArray())];

    public async Task<GenerationResult> AskAsync(int[] prompt, SamplingOptions options, Action<GeneratedToken>? onToken = null, bool batch = false, bool streamed = false, CancellationToken cancellationToken = default)
    {
        var capacity = prompt.Length + options.MaxNewTokens;
        using var reservation = await Budget.AdmitAsync(capacity * Model.Layout.BytesPerToken, batch, cancellationToken);
        using var tail = KvTail.Allocate(Model.Layout, Ids.Length, capacity, reservation);
        return await Model.GenerateAsync(new GenerationWork
        {
            Pages = Pages,
            PriorIds = Ids,
            PromptIds = prompt,
            Tail = tail,
            Options = options,
            OnToken = onToken,
            Batch = batch,
            Streamed = streamed,
            CancellationToken = cancellationToken,
        });
    }

    public async Task<double[]> ScoreAsync(int[] continuation) => (await ScoreAsync([continuation])).Single();

    public async Task<double[][]> ScoreAsync(int[][] continuations)
    {
        // The last page is computed once more.
        using var reservation = await Budget.AdmitAsync((Pages[^1].Count + continuations.Sum(ids => ids.Length)) * Model.Layout.BytesPerToken, false, default);
        var tails = continuations.Select(ids => KvTail.Allocate(Model.Layout, Ids.Length, ids.Length, reservation)).ToList();
        try
        {
            return await Model.ScoreAsync(Pages, Ids.AsMemory(Pages[^1].Start), continuations, tails, reservation, false, default);
        }
        finally
        {
            tails.ForEach(tail => tail.Dispose());
            Assert.Equal(0, reservation.Bytes);
        }
    }

    public void Dispose()
    {
        foreach (var page in Pages)
        {
            page.Release();
        }

        Assert.Equal(0, Budget.UsedBytes);
    }
}
