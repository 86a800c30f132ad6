using System.Runtime.InteropServices;
using Granary.Inference.Engine;
using static TorchSharp.torch;

namespace Granary.Inference.Generation;

/// <summary>Brings a row of logits to the host.</summary>
internal sealed class LogitReader(int vocabulary)
{
    private readonly double[] _row = new double[vocabulary];

    /// <summary>Reads a row.</summary>
    /// <param name="logits">[rows, vocab] on the CPU, contiguous.</param>
    /// <param name="row">Which row.</param>
    /// <param name="position">The absolute position of the row's token, for the message.</param>
    /// <returns>[vocab], every logit as it is, valid until the next read.</returns>
    /// <exception cref="Errors.InferenceException"><c>NonFiniteLogits</c>: NaN or infinity.</exception>
    public ReadOnlySpan<double> Read(Tensor logits, long row, long position)
    {
        using var view = logits.select(0, row); // [vocab]
        Widen(view.bytes, view.dtype);
        foreach (var logit in _row)
        {
            if (!double.IsFinite(logit))
            {
                throw EngineErrors.NonFinite(position);
            }
        }

        return _row;
    }

    private void Widen(ReadOnlySpan<byte> bytes, ScalarType dtype)
    {
        switch (dtype)
        {
            case ScalarType.Float64:
                MemoryMarshal.Cast<byte, double>(bytes).CopyTo(_row);
                break;
            case ScalarType.Float32:
                var singles = MemoryMarshal.Cast<byte, float>(bytes);
                for (var id = 0; id < _row.Length; id++)
                {
                    _row[id] = singles[id];
                }

                break;
            default:
                var halves = MemoryMarshal.Cast<byte, ushort>(bytes);
                for (var id = 0; id < _row.Length; id++)
                {
                    _row[id] = BitConverter.UInt32BitsToSingle((uint)halves[id] << 16); // bfloat16 is float32's upper half
                }

                break;
        }
    }
}
