using Granary.Inference.Generation;
using Granary.Inference.Models;
using Granary.Inference.Pages;

namespace Granary.Inference.Engine;

/// <summary>The logits after each token of a continuation, which is given and not chosen: to compare models on equal input.</summary>
internal sealed class ContinuationLogitsRequest : ModelRequest<double[][]>
{
    private readonly KvRun[] _past; // the context's pages, and the tail last: as it is before each step
    private readonly int[] _continuation;
    private readonly int _first;
    private readonly KvTail _tail;
    private readonly LogitReader _reader;
    private readonly List<double[]> _logits = [];

    /// <param name="model">The model.</param>
    /// <param name="pages">The context.</param>
    /// <param name="continuation">The tokens after it.</param>
    /// <param name="first">The index of the first token after which logits are wanted.</param>
    /// <param name="tail">Holds the continuation's KV; empty.</param>
    /// <param name="cancellationToken">Ends it between two steps.</param>
    public ContinuationLogitsRequest(ICausalModel model, IReadOnlyList<KvPage> pages, int[] continuation, int first, KvTail tail, CancellationToken cancellationToken)
        : base(model, batch: false, cancellationToken)
    {
        (_past, _continuation, _first, _tail) = (KvPlan.RunsOf(pages), continuation, first, tail);
        _reader = new LogitReader(model.Config.VocabularySize);
        Hold(pages);
        Hold(tail.Data);
    }

    protected override double[][] Result => [.. _logits];

    protected override ModelStep NextStep()
    {
        var position = _tail.Start + _tail.Count;
        _past[^1] = new KvRun(_tail.Data, _tail.Count);
        return new ModelStep
        {
            TokenIds = _continuation.AsMemory(_tail.Count, KvPlan.Rows(position, _continuation.Length - _tail.Count, _tail.Data.Layout.PageSize)),
            Position = position,
            Past = _past,
            Target = _tail.Data,
            TargetOffset = _tail.Count,
            Logits = LogitRows.All,
        };
    }

    protected override bool Take(StepLogits logits)
    {
        for (var row = Math.Max(0, _first - _tail.Count); row < logits.Rows; row++)
        {
            var read = _reader.Read(logits, row, _tail.Start + _tail.Count + row);
            var copy = new double[read.Length];
            for (var id = 0; id < copy.Length; id++)
            {
                copy[id] = read[id];
            }

            _logits.Add(copy);
        }

        _tail.Count += logits.Rows;
        return _tail.Count == _continuation.Length;
    }
}
