using Granary.Inference.Generation;
using Granary.Inference.Models;
using Granary.Inference.Pages;

namespace Granary.Inference.Engine;

/// <summary>The log-probabilities of a continuation's tokens after its first.</summary>
internal sealed class ContinuationScoreRequest : ModelRequest<double[]>
{
    private readonly KvRun[] _past; // the context's pages, and the tail last: as it is before each step
    private readonly int[] _continuation;
    private readonly KvTail _tail;
    private readonly LogitReader _reader;
    private readonly double[] _scores;

    public ContinuationScoreRequest(ICausalModel model, IReadOnlyList<KvPage> pages, int[] continuation, KvTail tail, bool batch, CancellationToken cancellationToken)
        : base(model, batch, cancellationToken)
    {
        (_past, _continuation, _tail) = (KvPlan.RunsOf(pages), continuation, tail);
        _scores = new double[continuation.Length - 1];
        _reader = new LogitReader(model.Config.VocabularySize);
        Hold(pages);
        Hold(tail.Data);
    }

    protected override double[] Result => _scores;

    protected override ModelStep NextStep()
    {
        var position = _tail.Start + _tail.Count;
        var rows = KvPlan.Rows(position, _scores.Length - _tail.Count, _tail.Data.Layout.PageSize); // the last token is scored, not run
        _past[^1] = new KvRun(_tail.Data, _tail.Count);
        return new ModelStep
        {
            TokenIds = _continuation.AsMemory(_tail.Count, rows),
            Position = position,
            Past = _past,
            Target = _tail.Data,
            TargetOffset = _tail.Count,
            Logits = LogitRows.All,
        };
    }

    protected override bool Take(StepLogits logits)
    {
        for (var row = 0; row < logits.Rows; row++)
        {
            var read = _reader.Read(logits, row, _tail.Start + _tail.Count + row);
            var scored = _tail.Count + row;
            _scores[scored] = read[_continuation[scored + 1]] - LogProbabilities.Normalizer(read);
        }

        _tail.Count += logits.Rows;
        return _tail.Count == _scores.Length;
    }
}
