using Granary.Storage.Objects;

namespace Granary.Storage.Chunks;

/// <summary>Names all pages of a token sequence.</summary>
public static class ChunkChain
{
    /// <summary>Gets the identities of a sequence's pages.</summary>
    /// <param name="salt">The tenant's salt.</param>
    /// <param name="fingerprint">The model's KV fingerprint, hexadecimal.</param>
    /// <param name="numerics">The numerics id.</param>
    /// <param name="tokenIds">The sequence; the identities keep parts of it, so it is not changed afterwards.</param>
    /// <param name="pageSize">Tokens of a full page.</param>
    /// <param name="tenant">The tenant, or <c>shared</c>.</param>
    /// <param name="shape">The shape of the model's KV.</param>
    /// <returns>One identity for each page, in order; the last page may be partial.</returns>
    /// <exception cref="Errors.StorageException"><c>InvalidName</c>: tenant, fingerprint or numerics id cannot be part of a key; give others.</exception>
    public static ChunkIdentity[] Of(
        ReadOnlySpan<byte> salt,
        string fingerprint,
        string numerics,
        ReadOnlyMemory<int> tokenIds,
        int pageSize,
        string tenant,
        ChunkShape shape)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pageSize);
        ObjectKey.CheckName("tenant", tenant);
        ObjectKey.CheckName("fingerprint", fingerprint);
        ObjectKey.CheckName("numerics id", numerics);

        var pages = new ChunkIdentity[(int)(((long)tokenIds.Length + pageSize - 1) / pageSize)];
        var parent = ChunkHash.Root(salt, fingerprint, numerics);
        for (var i = 0; i < pages.Length; i++)
        {
            var start = i * pageSize;
            var ids = tokenIds.Slice(start, Math.Min(pageSize, tokenIds.Length - start));
            var hash = parent.Next(ids.Span);
            pages[i] = new ChunkIdentity
            {
                Tenant = tenant,
                Fingerprint = fingerprint,
                Numerics = numerics,
                Hash = hash,
                Parent = parent,
                Start = start,
                Count = ids.Length,
                Shape = shape,
                TokenIds = ids,
            };
            parent = hash;
        }

        return pages;
    }
}
