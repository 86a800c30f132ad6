using Granary.Inference.Engine;
using Granary.Inference.Generation;
using Granary.Inference.Pages;

namespace Granary.Bench.FirstLight;

/// <summary>Prefill and decode on a loaded model, in pages that are allocated, and so touched, once.</summary>
internal sealed class InferenceWork : IDisposable
{
    /// <summary>The most tokens of a row.</summary>
    public const int LongestTokens = 2048;

    /// <summary>The steps that one timing of decode runs, to divide by.</summary>
    /// <remarks>Asks that share their steps arrive one by one, which costs a step or less.</remarks>
    public const int DecodeSteps = 32;

    /// <summary>The asks of the largest batch.</summary>
    public const int MostAsks = 32;

    private readonly LoadedModel _model;
    private readonly KvReservation _reservation;
    private readonly List<KvPage> _owned = [];

    private InferenceWork(LoadedModel model, KvReservation reservation)
    {
        (_model, _reservation) = (model, reservation);
        TokenIds = [.. Enumerable.Range(0, LongestTokens).Select(index => (int)(((index * 7919L) + 13) % model.Config.VocabularySize))];
        Pages = Allocate(0, LongestTokens);
    }

    public int[] TokenIds { get; }

    /// <summary>Gets the pages of <see cref="LongestTokens"/> tokens.</summary>
    public IReadOnlyList<KvPage> Pages { get; }

    public static async Task<InferenceWork> CreateAsync(LoadedModel model, CancellationToken cancellationToken)
    {
        // The pages, copies of them for asks that share nothing, and those of the short contexts.
        var bytes = ((32L * LongestTokens) + (MostAsks * (long)model.Layout.PageSize)) * model.Layout.BytesPerToken;
        return new InferenceWork(model, await new KvBudget(bytes).AdmitAsync(bytes, batch: false, cancellationToken));
    }

    /// <summary>Computes the first pages, one step each, as the creation of a context does.</summary>
    /// <returns>Seconds.</returns>
    public Task<double> PrefillAsync(int tokens, CancellationToken cancellationToken) =>
        Clock.TimeAsync(() => PrefillAsync([.. Pages.TakeWhile(page => page.Start < tokens)], 0, cancellationToken));

    /// <summary>Makes the pages of a context, the last one partial. Its full pages are the shared ones and must have been computed.</summary>
    public async Task<IReadOnlyList<KvPage>> CreateContextAsync(int tokens, CancellationToken cancellationToken)
    {
        var full = tokens / _model.Layout.PageSize;
        List<KvPage> pages = [.. Pages.Take(full), .. Allocate(full * _model.Layout.PageSize, tokens)];
        await PrefillAsync(pages, full, cancellationToken);
        return pages;
    }

    /// <summary>Copies a context, so that two asks share no byte.</summary>
    public IReadOnlyList<KvPage> Copy(IReadOnlyList<KvPage> context)
    {
        var copies = Allocate(0, context[^1].Start + context[^1].Count);
        for (var index = 0; index < copies.Count; index++)
        {
            context[index].Span.CopyTo(copies[index].Span);
        }

        return copies;
    }

    /// <summary>Decodes greedily, one ask for each context, all at once.</summary>
    /// <returns>Seconds of one step, the mean of <see cref="DecodeSteps"/>.</returns>
    public async Task<double> DecodeAsync(IReadOnlyList<IReadOnlyList<KvPage>> contexts, CancellationToken cancellationToken)
    {
        var bytes = contexts.Count * DecodeSteps * _model.Layout.BytesPerToken;
        using var reservation = await new KvBudget(bytes).AdmitAsync(bytes, batch: false, cancellationToken);
        var tails = contexts.Select(context => KvTail.Allocate(_model.Layout, context[^1].Start + context[^1].Count, DecodeSteps, reservation)).ToArray();
        try
        {
            var works = contexts.Zip(tails, (context, tail) => new GenerationWork
            {
                Pages = context,
                PromptIds = [TokenIds[^1]], // one row: its step is a decode step like the others
                Tail = tail,
                Options = new SamplingOptions { MaxNewTokens = DecodeSteps, IgnoreEos = true },
                CancellationToken = cancellationToken,
            }).ToArray();
            return await Clock.TimeAsync(() => Task.WhenAll(works.Select(_model.GenerateAsync))) / DecodeSteps;
        }
        finally
        {
            foreach (var tail in tails)
            {
                tail.Dispose();
            }
        }
    }

    public void Dispose()
    {
        _owned.ForEach(page => page.Release());
        _reservation.Dispose();
    }

    private async Task PrefillAsync(List<KvPage> pages, int first, CancellationToken cancellationToken)
    {
        for (var index = first; index < pages.Count; index++)
        {
            var page = pages[index];
            await _model.PrefillPageAsync(pages[..index], page, TokenIds.AsMemory(page.Start, page.Count), batch: false, cancellationToken);
        }
    }

    private List<KvPage> Allocate(int from, int until)
    {
        var pages = new List<KvPage>();
        for (var start = from; start < until; start += _model.Layout.PageSize)
        {
            pages.Add(KvPage.Allocate(_model.Layout, start, Math.Min(_model.Layout.PageSize, until - start), _reservation));
        }

        _owned.AddRange(pages);
        return pages;
    }
}
