using System.Runtime.InteropServices;
using Granary.Inference.Models;
using static TorchSharp.torch;

namespace Granary.Inference.Generation;

/// <summary>The logits of one request's step, wherever they were computed. Borrowed until the step ends.</summary>
internal readonly struct StepLogits
{
    private readonly Tensor? _tensor;
    private readonly RowLogits _rows;
    private readonly int _first;

    /// <param name="tensor">[rows, vocab] on the CPU; <see langword="null"/> where none were asked for.</param>
    public StepLogits(Tensor? tensor)
    {
        _tensor = tensor;
        Rows = (int)(tensor?.shape[0] ?? 0);
    }

    /// <param name="rows">A shared step's logits.</param>
    /// <param name="first">The request's first row.</param>
    /// <param name="count">The request's rows.</param>
    public StepLogits(RowLogits rows, int first, int count) => (_rows, _first, Rows) = (rows, first, count);

    /// <summary>Gets the rows.</summary>
    public int Rows { get; }

    /// <summary>Gets whether rows are bfloat16 and have to be widened.</summary>
    public bool IsHalf => _tensor is { dtype: ScalarType.BFloat16 };

    /// <summary>Gets a row.</summary>
    /// <param name="row">Which.</param>
    /// <param name="widened">[vocab] for what <see cref="IsHalf"/> widens; untouched otherwise.</param>
    /// <returns>[vocab], where it lies, or <paramref name="widened"/>.</returns>
    public LogitRow Row(int row, float[] widened)
    {
        if (_tensor is null)
        {
            return new LogitRow(_rows[_first + row]);
        }

        var bytes = _tensor.bytes; // [rows, vocab]
        bytes = bytes.Slice(row * (bytes.Length / Rows), bytes.Length / Rows);
        return _tensor.dtype switch
        {
            ScalarType.Float64 => new LogitRow(MemoryMarshal.Cast<byte, double>(bytes)),
            ScalarType.Float32 => new LogitRow(MemoryMarshal.Cast<byte, float>(bytes)),
            ScalarType.BFloat16 => new LogitRow(Widen(MemoryMarshal.Cast<byte, ushort>(bytes), widened)),
            _ => throw new InvalidOperationException($"Logits are {_tensor.dtype}."),
        };
    }

    private static ReadOnlySpan<float> Widen(ReadOnlySpan<ushort> halves, float[] widened)
    {
        for (var id = 0; id < halves.Length; id++)
        {
            widened[id] = BitConverter.UInt32BitsToSingle((uint)halves[id] << 16); // bfloat16 is float32's upper half
        }

        return widened;
    }
}
