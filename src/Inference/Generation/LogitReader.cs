using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Granary.Inference.Generation;

/// <summary>Brings a row of logits to the host.</summary>
internal sealed class LogitReader(int vocabulary)
{
    private float[] _widened = [];

    /// <summary>Reads a row.</summary>
    /// <param name="logits">[rows, vocab] on the CPU, contiguous.</param>
    /// <param name="row">Which row.</param>
    /// <param name="position">The absolute position of the row's token, for the message.</param>
    /// <returns>[vocab], every logit as it is; valid until the next read, and while <paramref name="logits"/> lives.</returns>
    /// <exception cref="Errors.InferenceException"><c>NonFiniteLogits</c>: NaN or infinity.</exception>
    public LogitRow Read(Tensor logits, long row, long position)
    {
        var bytes = Row(logits, row);
        var read = logits.dtype switch
        {
            ScalarType.Float64 => new LogitRow(MemoryMarshal.Cast<byte, double>(bytes)),
            ScalarType.Float32 => new LogitRow(MemoryMarshal.Cast<byte, float>(bytes)),
            _ => new LogitRow(Widen(MemoryMarshal.Cast<byte, ushort>(bytes))),
        };
        read.CheckFinite(position);
        return read;
    }

    private static ReadOnlySpan<byte> Row(Tensor logits, long row)
    {
        var bytes = logits.bytes; // [rows, vocab]
        var length = bytes.Length / (int)logits.shape[0];
        return bytes.Slice((int)row * length, length);
    }

    private ReadOnlySpan<float> Widen(ReadOnlySpan<ushort> halves)
    {
        if (_widened.Length == 0)
        {
            _widened = new float[vocabulary];
        }

        for (var id = 0; id < _widened.Length; id++)
        {
            _widened[id] = BitConverter.UInt32BitsToSingle((uint)halves[id] << 16); // bfloat16 is float32's upper half
        }

        return _widened;
    }
}
