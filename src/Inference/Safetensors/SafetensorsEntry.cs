namespace Granary.Inference.Safetensors;

/// <summary>A tensor to be written: its header, and where its bytes come from.</summary>
/// <param name="Name">The tensor's name.</param>
/// <param name="Dtype">The element.</param>
/// <param name="Shape">The sizes of its dimensions, row-major.</param>
/// <param name="Write">Writes all its bytes, little-endian, to the stream; called once, in the order of the entries.</param>
public sealed record SafetensorsEntry(string Name, SafetensorsDtype Dtype, long[] Shape, Action<Stream> Write)
{
    private const int SliceBytes = 1 << 24;

    /// <summary>Makes an entry of managed memory.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="dtype">The element.</param>
    /// <param name="shape">The sizes of its dimensions.</param>
    /// <param name="bytes">Its bytes, read when the file is written.</param>
    /// <returns>The entry.</returns>
    public static SafetensorsEntry FromMemory(string name, SafetensorsDtype dtype, long[] shape, ReadOnlyMemory<byte> bytes) =>
        new(name, dtype, shape, stream => stream.Write(bytes.Span));

    /// <summary>Makes an entry of native memory, which is not copied.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="dtype">The element.</param>
    /// <param name="shape">The sizes of its dimensions.</param>
    /// <param name="address">The first byte; the memory stays the caller's and must live until the file is written.</param>
    /// <param name="bytes">The length.</param>
    /// <returns>The entry.</returns>
    public static unsafe SafetensorsEntry FromAddress(string name, SafetensorsDtype dtype, long[] shape, nint address, long bytes) =>
        new(name, dtype, shape, stream =>
        {
            for (var offset = 0L; offset < bytes; offset += SliceBytes)
            {
                stream.Write(new ReadOnlySpan<byte>((byte*)address + offset, (int)Math.Min(SliceBytes, bytes - offset)));
            }
        });
}
