using Granary.Inference.Pages;
using Granary.Storage.Chunks;
using Granary.Storage.Objects;

namespace Granary.Grains.Residency;

/// <summary>Pages as chunks: read into a page's own memory and decoded there, encoded and written.</summary>
internal static class StoredPages
{
    /// <summary>Reads a chunk into a page and checks everything about it; nothing that fails a check is decoded.</summary>
    /// <param name="chunks">The store.</param>
    /// <param name="identity">What is expected.</param>
    /// <param name="checksum">The manifest's checksum, if it names one.</param>
    /// <param name="page">The page; after a fault its content means nothing.</param>
    /// <param name="cancellationToken">Cancels; the page is not written to once the call has ended.</param>
    /// <returns>A fault, or none.</returns>
    public static async Task<ChunkRead> ReadAsync(this ChunkStore chunks, ChunkIdentity identity, string? checksum, KvPage page, CancellationToken cancellationToken)
    {
        var read = await chunks.ReadAsync(identity, checksum, page.Incoming, cancellationToken);
        if (read.Fault is null && page.Layout.Codec != KvCodec.None)
        {
            await Task.Run(page.Decode, CancellationToken.None); // megabytes: not on the caller's turn
        }

        return read;
    }

    /// <summary>Writes a page as a chunk.</summary>
    /// <param name="chunks">The store.</param>
    /// <param name="identity">The chunk.</param>
    /// <param name="page">The page; the caller holds a reference.</param>
    /// <param name="bad">The version of the damaged chunk that it replaces; <see langword="null"/> for a new one.</param>
    /// <returns>The stored bytes and checksum.</returns>
    public static async Task<ChunkWrite> WriteAsync(this ChunkStore chunks, ChunkIdentity identity, KvPage page, ObjectVersion? bad)
    {
        using var encoded = page.Encode();
        return bad is null
            ? await chunks.WriteAsync(identity, encoded.Memory, CancellationToken.None)
            : await chunks.RepairAsync(identity, encoded.Memory, bad, CancellationToken.None);
    }
}
