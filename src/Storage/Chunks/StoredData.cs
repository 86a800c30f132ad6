using System.Buffers;
using System.IO.Hashing;

namespace Granary.Storage.Chunks;

/// <summary>Hashes what a store holds, a megabyte at a time.</summary>
internal static class StoredData
{
    private const int BufferLength = 1 << 20;

    /// <summary>Appends a stretch to a hash.</summary>
    /// <param name="hash">The hash.</param>
    /// <param name="offset">The stretch's first byte.</param>
    /// <param name="length">Its bytes.</param>
    /// <param name="read">Fills memory from an offset on.</param>
    public static async Task AppendAsync(XxHash128 hash, long offset, long length, Func<long, Memory<byte>, Task> read)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferLength);
        try
        {
            for (var done = 0L; done < length; done += BufferLength)
            {
                var slice = buffer.AsMemory(0, (int)Math.Min(BufferLength, length - done));
                await read(offset + done, slice).ConfigureAwait(false);
                hash.Append(slice.Span);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
