using Granary.Inference.Generation;
using Granary.Inference.Models;
using Granary.Inference.Pages;

namespace Granary.Inference.Engine;

/// <summary>The log-probability of given tokens as the next one after a context.</summary>
/// <remarks>
/// They are predicted by the context's last token, whose hidden state nobody keeps: the last page is computed once more, as a page from its start, so its last row
/// has the bits that it had when the page was made. Its KV is in the page already, which is not written again.
/// </remarks>
internal sealed class FirstTokenScoreRequest : ModelRequest<double[]>
{
    private readonly IReadOnlyList<KvPage> _pages;
    private readonly ReadOnlyMemory<int> _lastPageIds;
    private readonly int[] _tokenIds;
    private readonly LogitReader _reader;
    private double[] _scores = [];

    public FirstTokenScoreRequest(
        ICausalModel model, IReadOnlyList<KvPage> pages, ReadOnlyMemory<int> lastPageIds, int[] tokenIds, KvReservation reservation, bool batch, CancellationToken cancellationToken)
        : base(model, batch, cancellationToken)
    {
        (_pages, _lastPageIds, _tokenIds) = (pages, lastPageIds, tokenIds);
        _reader = new LogitReader(model.Config.VocabularySize);
        Again = new KvMemory(pages[^1].Layout, pages[^1].Count, reservation);
        Hold(Again);
        Again.Release();
        Hold(pages);
    }

    protected override double[] Result => _scores;

    private KvPage LastPage => _pages[^1];

    private KvMemory Again { get; } // where the last page's KV goes this time; the request holds its only reference

    protected override ModelStep NextStep() => new()
    {
        TokenIds = _lastPageIds,
        Position = LastPage.Start,
        Past = [.. _pages.SkipLast(1).Select(static page => new KvRun(page.Data, page.Count))],
        Logits = LogitRows.Last,
        Target = Again,
    };

    protected override bool Take(StepLogits logits)
    {
        var row = _reader.Read(logits, 0, LastPage.Start + LastPage.Count - 1);
        var normalizer = LogProbabilities.Normalizer(row);
        _scores = new double[_tokenIds.Length];
        for (var i = 0; i < _tokenIds.Length; i++)
        {
            _scores[i] = row[_tokenIds[i]] - normalizer;
        }

        return true;
    }
}
