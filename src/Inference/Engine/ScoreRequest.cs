using Granary.Inference.Generation;
using Granary.Inference.Models;
using Granary.Inference.Pages;

namespace Granary.Inference.Engine;

/// <summary>The log-probabilities of given tokens after a context.</summary>
/// <remarks>
/// The first is predicted by the context's last token, whose hidden state nobody keeps: the last page is computed once more, as a page from its start,
/// so its last row has the bits that it had when the page was made. Its KV is in the page already and is not written.
/// </remarks>
internal sealed class ScoreRequest : EngineRequest<double[]>
{
    private readonly ICausalModel _model;
    private readonly IReadOnlyList<KvPage> _pages;
    private readonly ReadOnlyMemory<int> _lastPage;
    private readonly int[] _continuation;
    private readonly KvTail _tail;
    private readonly LogitReader _reader;
    private readonly List<double> _scores = [];

    public ScoreRequest(ICausalModel model, IReadOnlyList<KvPage> pages, ReadOnlyMemory<int> lastPage, int[] continuation, KvTail tail, bool batch, CancellationToken cancellationToken)
        : base(batch, cancellationToken)
    {
        (_model, _pages, _lastPage, _continuation, _tail) = (model, pages, lastPage, continuation, tail);
        _reader = new LogitReader(model.Config.VocabularySize);
        foreach (var page in pages)
        {
            Hold(page.Data);
        }

        Hold(tail.Data);
    }

    protected override double[] Result => [.. _scores];

    protected override bool Advance()
    {
        if (_scores.Count == 0)
        {
            var last = _pages[^1];
            Run(
                new ModelStep
                {
                    TokenIds = _lastPage,
                    Position = last.Start,
                    Past = [.. _pages.SkipLast(1).Select(page => new KvRun(page.Data, page.Count))],
                    Logits = LogitRows.Last,
                },
                last.Start + last.Count - 1);
        }
        else
        {
            var position = _tail.Start + _tail.Count;
            var rows = KvPlan.Rows(position, _continuation.Length - 1 - _tail.Count, _tail.Data.Layout.PageSize);
            var step = new ModelStep
            {
                TokenIds = _continuation.AsMemory(_tail.Count, rows),
                Position = position,
                Past = KvPlan.Past(_pages, _tail),
                Target = _tail.Data,
                TargetOffset = _tail.Count,
                Logits = LogitRows.All,
            };
            Run(step, position);
            _tail.Count += rows;
        }

        return _scores.Count == _continuation.Length;
    }

    private void Run(ModelStep step, long position)
    {
        using var logits = _model.Run(step) ?? throw new InvalidOperationException("The step gave no logits.");
        for (var row = 0; row < logits.shape[0]; row++)
        {
            var read = _reader.Read(logits, row, position + row);
            _scores.Add(read[_continuation[_scores.Count]] - LogProbabilities.Normalizer(read));
        }
    }
}
