using Granary.Inference.Generation;
using Granary.Inference.Models;
using Granary.Inference.Pages;

namespace Granary.Inference.Engine;

/// <summary>The log-probabilities of given tokens after a context.</summary>
/// <remarks>
/// The first is predicted by the context's last token, whose hidden state nobody keeps: the last page is computed once more, as a page from its start,
/// so its last row has the bits that it had when the page was made. Its KV is in the page already and is not written.
/// </remarks>
internal sealed class ScoreRequest : ModelRequest<double[]>
{
    private readonly IReadOnlyList<KvPage> _pages;
    private readonly ReadOnlyMemory<int> _lastPage;
    private readonly int[] _continuation;
    private readonly KvTail _tail;
    private readonly LogitReader _reader;
    private readonly List<double> _scores = [];

    public ScoreRequest(ICausalModel model, IReadOnlyList<KvPage> pages, ReadOnlyMemory<int> lastPage, int[] continuation, KvTail tail, bool batch, CancellationToken cancellationToken)
        : base(model, batch, cancellationToken)
    {
        (_pages, _lastPage, _continuation, _tail) = (pages, lastPage, continuation, tail);
        _reader = new LogitReader(model.Config.VocabularySize);
        foreach (var page in pages)
        {
            Hold(page.Data);
        }

        Hold(tail.Data);
    }

    protected override double[] Result => [.. _scores];

    private KvPage LastPage => _pages[^1];

    protected override ModelStep NextStep()
    {
        if (_scores.Count == 0)
        {
            return new ModelStep
            {
                TokenIds = _lastPage,
                Position = LastPage.Start,
                Past = [.. _pages.SkipLast(1).Select(page => new KvRun(page.Data, page.Count))],
                Logits = LogitRows.Last,
                Page = true,
            };
        }

        var position = _tail.Start + _tail.Count;
        var rows = KvPlan.Rows(position, _continuation.Length - 1 - _tail.Count, _tail.Data.Layout.PageSize);
        return new ModelStep
        {
            TokenIds = _continuation.AsMemory(_tail.Count, rows),
            Position = position,
            Past = KvPlan.Past(_pages, _tail),
            Target = _tail.Data,
            TargetOffset = _tail.Count,
            Logits = LogitRows.All,
        };
    }

    protected override bool Take(StepLogits logits)
    {
        var position = _scores.Count == 0 ? LastPage.Start + LastPage.Count - 1 : _tail.Start + _tail.Count;
        _tail.Count += _scores.Count == 0 ? 0 : logits.Rows;
        for (var row = 0; row < logits.Rows; row++)
        {
            var read = _reader.Read(logits, row, position + row);
            _scores.Add(read[_continuation[_scores.Count]] - LogProbabilities.Normalizer(read));
        }

        return _scores.Count == _continuation.Length;
    }
}
