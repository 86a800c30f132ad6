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

    /// <summary>Gets whether the logits are bfloat16.</summary>
    public bool NeedsWidening => _tensor?.dtype == ScalarType.BFloat16;

    /// <summary>Gets a row.</summary>
    /// <param name="row">Which.</param>
    /// <param name="widened">[vocab]; used where the logits are bfloat16, and then what the result lies in.</param>
    /// <returns>[vocab].</returns>
    public LogitRow Row(int row, Span<float> widened)
    {
        if (_tensor is null)
        {
            return new LogitRow(_rows[_first + row]);
        }

        using var view = _tensor.select(0, row); // [vocab], in the tensor's own memory
        switch (view.dtype)
        {
            case ScalarType.Float64:
                return new LogitRow(MemoryMarshal.Cast<byte, double>(view.bytes));
            case ScalarType.Float32:
                return new LogitRow(MemoryMarshal.Cast<byte, float>(view.bytes));
            default:
                var halves = MemoryMarshal.Cast<byte, ushort>(view.bytes);
                for (var id = 0; id < widened.Length; id++)
                {
                    widened[id] = BitConverter.UInt32BitsToSingle((uint)halves[id] << 16); // bfloat16 is float32's upper half
                }

                return new LogitRow(widened);
        }
    }
}
