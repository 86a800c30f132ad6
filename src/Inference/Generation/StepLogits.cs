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

    /// <summary>Widens a row.</summary>
    /// <param name="row">Which.</param>
    /// <param name="target">[vocab].</param>
    public void Widen(int row, Span<double> target)
    {
        if (_tensor is null)
        {
            Widen(_rows[_first + row], target);
            return;
        }

        using var view = _tensor.select(0, row); // [vocab]
        switch (view.dtype)
        {
            case ScalarType.Float64:
                MemoryMarshal.Cast<byte, double>(view.bytes).CopyTo(target);
                break;
            case ScalarType.Float32:
                Widen(MemoryMarshal.Cast<byte, float>(view.bytes), target);
                break;
            default:
                var halves = MemoryMarshal.Cast<byte, ushort>(view.bytes);
                for (var id = 0; id < target.Length; id++)
                {
                    target[id] = BitConverter.UInt32BitsToSingle((uint)halves[id] << 16); // bfloat16 is float32's upper half
                }

                break;
        }
    }

    private static void Widen(ReadOnlySpan<float> row, Span<double> target)
    {
        for (var id = 0; id < target.Length; id++)
        {
            target[id] = row[id];
        }
    }
}
