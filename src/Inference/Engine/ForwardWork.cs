using System.Runtime.InteropServices;
using Granary.Inference.Models;
using Granary.Inference.Pages;
using Granary.Inference.Tensors;
using static TorchSharp.torch;

namespace Granary.Inference.Engine;

/// <summary>A forward pass on the device, a page a step, in memory of its own.</summary>
internal sealed class ForwardWork : EngineRequest<ForwardResult>
{
    private readonly ICausalModel _model;
    private readonly ForwardRequest _request;
    private readonly KvLayout _layout;
    private readonly byte[] _logits;
    private readonly int _firstRow;
    private int _done;
    private int _written;
    private byte[] _kv = [];

    public ForwardWork(ICausalModel model, KvLayout layout, ForwardRequest request, CancellationToken cancellationToken)
        : base(batch: false, cancellationToken)
    {
        (_model, _layout, _request) = (model, layout, request);
        _firstRow = request.Split ?? 0;
        _logits = new byte[Bounded("logits", (long)(request.TokenIds.Length - _firstRow) * model.Config.VocabularySize * layout.Dtype.Bytes())];
        Bounded("KV with its padding", layout.BytesOf((long)request.TokenIds.Length + request.LeftPad)); // before it is allocated
        Cache = new KvMemory(layout, request.TokenIds.Length + request.LeftPad, reservation: null);
        Cache.GetSpan().Clear(); // the padding is zeros
        Hold(Cache);
        Cache.Release(); // the request's reference is the only one
    }

    private KvMemory Cache { get; } // the request holds its only reference

    protected override ForwardResult Result => new(
        _layout.Dtype,
        _logits,
        [_request.TokenIds.Length - _firstRow, _model.Config.VocabularySize],
        _kv,
        [_layout.Layers, 2, 1, _layout.KvHeads, _request.TokenIds.Length, _layout.HeadDim]);

    protected override bool Advance()
    {
        var behind = _done >= _firstRow; // of the split, or of everything where there is none
        var end = behind ? _request.TokenIds.Length : _firstRow;
        var rows = KvPlan.Rows(_done, end - _done, _layout.PageSize);
        var pad = behind ? _request.LeftPad : 0; // the prefix is prefilled as it is; the padding is put in front of its cache
        Run(new ModelStep
        {
            TokenIds = _request.TokenIds.AsMemory(_done, rows),
            Position = _done + (_request.PositionIds ? 0 : pad),
            Past = Past(behind),
            Target = Cache,
            TargetOffset = _request.LeftPad + _done,
            LeftPad = pad,
            Logits = behind ? LogitRows.All : LogitRows.None,
        });
        _done += rows;

        if (_done < _request.TokenIds.Length)
        {
            return false;
        }

        using var cache = NativeTensor.Wrap(Cache);                                               // [layers, 2, 1, kv_heads, capacity, head_dim]
        using var tokens = cache.narrow(4, _request.LeftPad, _request.TokenIds.Length);            // [layers, 2, 1, kv_heads, tokens, head_dim]
        _kv = NativeTensor.ToBytes(tokens);
        return true;
    }

    // The way that the engine itself takes.
    private void Run(ModelStep step)
    {
        if (_model.Rows is { } rowModel && rowModel.Takes(step))
        {
            var rows = rowModel.Run([step]);
            for (var row = 0; row < rows.Rows; row++)
            {
                _written += Store(rows[row], _logits.AsSpan(_written));
            }

            return;
        }

        using var logits = _model.Run(step); // [rows, vocab]
        if (logits is not null)
        {
            logits.bytes.CopyTo(_logits.AsSpan(_written));
            _written += logits.bytes.Length;
        }
    }

    private int Store(ReadOnlySpan<float> row, Span<byte> target)
    {
        if (_layout.Dtype == KvDtype.Float32)
        {
            MemoryMarshal.AsBytes(row).CopyTo(target);
            return row.Length * sizeof(float);
        }

        using var single = tensor(row.ToArray());          // [vocab]
        using var half = single.to(ScalarType.BFloat16);   // [vocab]
        half.bytes.CopyTo(target);
        return row.Length * sizeof(ushort);
    }

    private static int Bounded(string what, long bytes) => bytes <= Array.MaxLength ? (int)bytes : throw EngineErrors.TooLarge(what, bytes);

    // Only the tokens behind the split see the padding.
    private KvRun[] Past(bool behind) => [behind ? new KvRun(Cache, _request.LeftPad + _done) : new KvRun(Cache, _done, _request.LeftPad)];
}
