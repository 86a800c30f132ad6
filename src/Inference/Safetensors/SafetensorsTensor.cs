namespace Granary.Inference.Safetensors;

/// <summary>A tensor of a mapped safetensors file. Its memory is the file's: read-only, and gone when the file is disposed.</summary>
/// <param name="Name">The tensor's name.</param>
/// <param name="Dtype">The element.</param>
/// <param name="Shape">The sizes of its dimensions, row-major; empty for a scalar.</param>
/// <param name="Address">The first byte. Not always aligned to the element: the format does not demand it.</param>
/// <param name="Bytes">The length, equal to the product of the shape times the element.</param>
public sealed record SafetensorsTensor(string Name, SafetensorsDtype Dtype, long[] Shape, nint Address, long Bytes)
{
    /// <summary>Gets the number of elements.</summary>
    public long Elements => Bytes / Dtype.Bytes();

    /// <summary>Gets the whole tensor.</summary>
    /// <returns>Its bytes.</returns>
    /// <exception cref="OverflowException">It is larger than 2 GiB; read it by <see cref="Slice"/>.</exception>
    public unsafe ReadOnlySpan<byte> AsSpan() => new((void*)Address, checked((int)Bytes));

    /// <summary>Gets a part of the tensor.</summary>
    /// <param name="offset">The part's first byte.</param>
    /// <param name="length">The part's bytes.</param>
    /// <returns>The part.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The part does not lie in the tensor.</exception>
    public unsafe ReadOnlySpan<byte> Slice(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Bytes - length);
        return new((byte*)Address + offset, length);
    }
}
