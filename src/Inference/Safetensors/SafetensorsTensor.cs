using Granary.Inference.Errors;

namespace Granary.Inference.Safetensors;

/// <summary>A tensor of a mapped safetensors file. Its memory is the file's: read-only, and gone when the file is disposed.</summary>
/// <param name="File">The file.</param>
/// <param name="Offset">The first byte's place in the file.</param>
/// <param name="Name">The tensor's name.</param>
/// <param name="Dtype">The element.</param>
/// <param name="Shape">The sizes of its dimensions, row-major; empty for a scalar.</param>
/// <param name="Address">The first byte. Not always aligned to the element: the format does not demand it.</param>
/// <param name="Bytes">The length, equal to the product of the shape times the element.</param>
public sealed record SafetensorsTensor(SafetensorsFile File, long Offset, string Name, SafetensorsDtype Dtype, long[] Shape, nint Address, long Bytes)
{
    /// <summary>Gets the number of elements.</summary>
    public long Elements => Bytes / Dtype.Bytes();

    /// <summary>Gets the whole tensor.</summary>
    /// <returns>Its bytes.</returns>
    /// <exception cref="OverflowException">It is larger than 2 GiB; read it by <see cref="Read"/>.</exception>
    public unsafe ReadOnlySpan<byte> AsSpan() => new((void*)Address, checked((int)Bytes));

    /// <summary>Reads a part of the tensor from the file, past the mapping: what is read once and not kept costs no page of it.</summary>
    /// <param name="offset">The part's first byte.</param>
    /// <param name="part">Takes the part; filled as a whole.</param>
    /// <exception cref="ArgumentOutOfRangeException">The part does not lie in the tensor.</exception>
    /// <exception cref="InferenceException"><c>CheckpointInvalid</c>: the file cannot be read any more, or became shorter.</exception>
    public void Read(long offset, Span<byte> part)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Bytes - part.Length);
        File.Read(Offset + offset, part);
    }
}
