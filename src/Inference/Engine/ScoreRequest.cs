using Granary.Inference.Generation;
using Granary.Inference.Models;
using Granary.Inference.Pages;

namespace Granary.Inference.Engine;

/// <summary>The log-probabilities of given tokens after a context, for each of several continuations.</summary>
/// <remarks>
/// A continuation's first token is predicted by the context's last one, whose hidden state nobody keeps: the last page is computed once more for all of them, as a
/// page from its start, so its last row has the bits that it had when the page was made. Its KV is in the page already, which is not written again.
/// </remarks>
internal sealed class ScoreRequest : ModelRequest<double[][]>
{
    private readonly IReadOnlyList<KvPage> _pages;
    private readonly ReadOnlyMemory<int> _lastPage;
    private readonly int[][] _continuations;
    private readonly KvTail[] _tails;
    private readonly LogitReader _reader;
    private readonly double[][] _scores;
    private bool _lastPageRan;
    private int _current;

    public ScoreRequest(
        ICausalModel model, IReadOnlyList<KvPage> pages, ReadOnlyMemory<int> lastPage, int[][] continuations, KvTail[] tails, bool batch, CancellationToken cancellationToken)
        : base(model, batch, cancellationToken)
    {
        (_pages, _lastPage, _continuations, _tails) = (pages, lastPage, continuations, tails);
        _scores = [.. continuations.Select(static continuation => new double[continuation.Length])];
        _reader = new LogitReader(model.Config.VocabularySize);
        Again = new KvMemory(pages[^1].Layout, pages[^1].Count, reservation: null);
        Hold(Again);
        Again.Release();
        foreach (var page in pages)
        {
            Hold(page.Data);
        }

        foreach (var tail in tails)
        {
            Hold(tail.Data);
        }
    }

    protected override double[][] Result => _scores;

    private KvPage LastPage => _pages[^1];

    private KvMemory Again { get; } // where the last page's KV goes this time; the request holds its only reference

    protected override ModelStep NextStep()
    {
        if (!_lastPageRan)
        {
            return new ModelStep
            {
                TokenIds = _lastPage,
                Position = LastPage.Start,
                Past = [.. _pages.SkipLast(1).Select(static page => new KvRun(page.Data, page.Count))],
                Logits = LogitRows.Last,
                Target = Again,
            };
        }

        var (continuation, tail) = (_continuations[_current], _tails[_current]);
        var position = tail.Start + tail.Count;
        var rows = KvPlan.Rows(position, continuation.Length - 1 - tail.Count, tail.Data.Layout.PageSize);
        return new ModelStep
        {
            TokenIds = continuation.AsMemory(tail.Count, rows),
            Position = position,
            Past = KvPlan.Past(_pages, tail),
            Target = tail.Data,
            TargetOffset = tail.Count,
            Logits = LogitRows.All,
        };
    }

    protected override bool Take(StepLogits logits)
    {
        if (_lastPageRan)
        {
            TakeContinuation(logits, _continuations[_current], _tails[_current], _scores[_current]);
        }
        else
        {
            TakeLastPage(logits);
        }

        // The last token of a continuation is scored, not run.
        while (_current < _tails.Length && _tails[_current].Count == _continuations[_current].Length - 1)
        {
            _current++;
        }

        return _current == _tails.Length;
    }

    private void TakeLastPage(StepLogits logits)
    {
        var row = _reader.Read(logits, 0, LastPage.Start + LastPage.Count - 1);
        var normalizer = LogProbabilities.Normalizer(row);
        for (var index = 0; index < _continuations.Length; index++)
        {
            _scores[index][0] = row[_continuations[index][0]] - normalizer;
        }

        _lastPageRan = true;
    }

    private void TakeContinuation(StepLogits logits, int[] continuation, KvTail tail, double[] scores)
    {
        for (var row = 0; row < logits.Rows; row++)
        {
            var read = _reader.Read(logits, row, tail.Start + tail.Count + row);
            var scored = tail.Count + row + 1;
            scores[scored] = read[continuation[scored]] - LogProbabilities.Normalizer(read);
        }

        tail.Count += logits.Rows;
    }
}
