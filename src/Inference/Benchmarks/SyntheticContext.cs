using Granary.Inference.Engine;
using Granary.Inference.Generation;
using Granary.Inference.Pages;

namespace Granary.Inference.Benchmarks;

/// <summary>One long sequence of made-up tokens, of which the rows prefill and decode over the first ones. Its pages are allocated, and so touched, once.</summary>
internal sealed class SyntheticContext : IDisposable
{
    private readonly LoadedModel _model;
    private readonly int[] _tokenIds;
    private readonly KvReservation _reservation;
    private readonly List<KvPage> _full;
    private readonly Dictionary<int, KvPage> _partial = []; // by the sequence's tokens, of which the page has the last

    private SyntheticContext(LoadedModel model, int tokens, KvReservation reservation)
    {
        (_model, _reservation) = (model, reservation);
        _tokenIds = [.. Enumerable.Range(0, tokens).Select(index => (int)(((index * 7919L) + 13) % model.Config.VocabularySize))];
        _full = Allocate(0, tokens / model.Layout.PageSize * model.Layout.PageSize, reservation);
    }

    /// <summary>Makes the sequence; nothing of it is computed yet.</summary>
    /// <param name="model">The model.</param>
    /// <param name="lengths">How many of the first tokens the rows use.</param>
    /// <param name="cancellationToken">Ends the wait for memory.</param>
    public static async Task<SyntheticContext> CreateAsync(LoadedModel model, IReadOnlyCollection<int> lengths, CancellationToken cancellationToken)
    {
        var (layout, longest) = (model.Layout, lengths.Max());
        var tokens = (longest / layout.PageSize * (long)layout.PageSize) + lengths.Distinct().Sum(length => length % layout.PageSize);
        var context = new SyntheticContext(model, longest, await ReserveAsync(layout.BytesOf(tokens), cancellationToken).ConfigureAwait(false));
        foreach (var length in lengths.Distinct().Where(length => length % layout.PageSize != 0))
        {
            context._partial[length] = context.Allocate(length / layout.PageSize * layout.PageSize, length, context._reservation)[0];
        }

        return context;
    }

    /// <summary>Computes the first tokens' pages, one step each, as the creation of a context does.</summary>
    public async Task PrefillAsync(int tokens, CancellationToken cancellationToken)
    {
        var pages = First(tokens);
        for (var index = 0; index < pages.Count; index++)
        {
            var page = pages[index];
            await _model.PrefillPageAsync(pages[..index], page, _tokenIds.AsMemory(page.Start, page.Count), batch: false, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Decodes greedily, some asks at once, over the first tokens, which have been computed.</summary>
    /// <param name="decode">How many tokens and asks, and whether the asks share the context; otherwise each one but the first gets a copy, untimed.</param>
    /// <param name="steps">How many steps follow each other.</param>
    /// <param name="cancellationToken">Ends the asks.</param>
    /// <returns>Seconds of one step, the mean of all.</returns>
    public async Task<double> DecodeAsync(BenchmarkCase decode, int steps, CancellationToken cancellationToken)
    {
        var pages = First(decode.Tokens);
        var copies = new List<KvPage>();
        var tails = new List<KvTail>();
        var bytes = (((decode.Shared ? 0L : decode.Asks - 1L) * decode.Tokens) + (decode.Asks * (long)steps)) * _model.Layout.BytesPerToken;
        using var reservation = await ReserveAsync(bytes, cancellationToken).ConfigureAwait(false);
        try
        {
            var works = new List<GenerationWork>();
            for (var ask = 0; ask < decode.Asks; ask++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                tails.Add(KvTail.Allocate(_model.Layout, decode.Tokens, steps, reservation));
                works.Add(new GenerationWork
                {
                    Pages = ask == 0 || decode.Shared ? pages : Copy(pages, reservation, copies),
                    PromptIds = [_tokenIds[decode.Tokens - 1]], // one row: its step is a decode step like the others
                    Tail = tails[^1],
                    Options = new SamplingOptions { MaxNewTokens = steps, IgnoreEos = true },
                    CancellationToken = cancellationToken,
                });
            }

            return await Clock.TimeAsync(() => Task.WhenAll(works.Select(_model.GenerateAsync))).ConfigureAwait(false) / steps;
        }
        finally
        {
            tails.ForEach(static tail => tail.Dispose());
            copies.ForEach(static page => page.Release());
        }
    }

    public void Dispose()
    {
        _full.ForEach(static page => page.Release());
        foreach (var page in _partial.Values)
        {
            page.Release();
        }

        _reservation.Dispose();
    }

    // The budget is the row's own: the run as a whole was checked before.
    private static Task<KvReservation> ReserveAsync(long bytes, CancellationToken cancellationToken) =>
        new KvBudget(bytes).AdmitAsync(bytes, batch: false, cancellationToken);

    private List<KvPage> First(int tokens)
    {
        List<KvPage> pages = [.. _full.Take(tokens / _model.Layout.PageSize)];
        if (_partial.TryGetValue(tokens, out var last))
        {
            pages.Add(last);
        }

        return pages;
    }

    private List<KvPage> Copy(List<KvPage> pages, KvReservation reservation, List<KvPage> owned)
    {
        var copies = new List<KvPage>();
        foreach (var page in pages)
        {
            var copy = KvPage.Allocate(_model.Layout, page.Start, page.Count, reservation);
            owned.Add(copy);
            copies.Add(copy);
            page.Span.CopyTo(copy.Span);
        }

        return copies;
    }

    private List<KvPage> Allocate(int from, int until, KvReservation reservation)
    {
        var pages = new List<KvPage>();
        for (var start = from; start < until; start += _model.Layout.PageSize)
        {
            pages.Add(KvPage.Allocate(_model.Layout, start, Math.Min(_model.Layout.PageSize, until - start), reservation));
        }

        return pages;
    }
}
