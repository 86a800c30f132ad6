using System.IO.Hashing;
using System.Runtime.InteropServices;
using Granary.Storage.Errors;
using Granary.Storage.Objects;

namespace Granary.Storage.Chunks;

/// <summary>Checks a stored chunk without knowing which it should be: everything about it but whether anybody wants it.</summary>
/// <param name="store">Where chunks lie.</param>
public sealed class ChunkInspector(IObjectStore store)
{
    private const int MaxAttempts = 4;

    /// <summary>Reads a chunk whole.</summary>
    /// <param name="info">The object, as it was listed.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>What it is, or its fault. Its memory stays below a few megabytes, whatever the file states.</returns>
    /// <exception cref="StorageException"><c>StoreUnavailable</c>: the store does not answer; see its message.</exception>
    public async Task<ChunkInspection> InspectAsync(ObjectInfo info, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(info);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await InspectOnceAsync(info, cancellationToken).ConfigureAwait(false);
            }
            catch (ChangedException) when (attempt < MaxAttempts)
            {
                // Repaired, touched or collected meanwhile: what is there now counts.
                if (await store.HeadAsync(info.Key, cancellationToken).ConfigureAwait(false) is not { } now)
                {
                    return new(info, null, null, ChunkFault.Absent);
                }

                info = now;
            }
            catch (ChangedException e)
            {
                throw new StorageException(
                    StorageErrorCodes.StoreUnavailable, $"'{info.Key}' changed {MaxAttempts} times while it was read.", "Try again when fewer processes write.", e);
            }
        }
    }

    private async Task<ChunkInspection> InspectOnceAsync(ObjectInfo info, CancellationToken cancellationToken)
    {
        var prefix = new byte[sizeof(long)];
        if (info.Length < prefix.Length)
        {
            return Faulty(info, ChunkFault.Length);
        }

        await ReadAsync(info, 0, prefix, cancellationToken).ConfigureAwait(false);
        if (StatedChunk.LengthOf(prefix, info.Length) is not { } headerLength)
        {
            return Faulty(info, ChunkFault.Header);
        }

        var header = new byte[headerLength];
        await ReadAsync(info, 0, header, cancellationToken).ConfigureAwait(false);
        if (!StatedChunk.TryRead(TenantOf(info.Key), header, info.Length - headerLength, out var stated) || stated.Identity.Key != info.Key)
        {
            return Faulty(info, ChunkFault.Header);
        }

        var identity = stated.Identity;
        var ids = new int[identity.Count];
        var hash = new XxHash128();
        await StoredData.AppendAsync(hash, headerLength, identity.KvBytes, (offset, slice) => ReadAsync(info, offset, slice, cancellationToken)).ConfigureAwait(false);
        var tokens = new byte[sizeof(int) * ids.Length];
        await ReadAsync(info, headerLength + identity.KvBytes, tokens, cancellationToken).ConfigureAwait(false);
        hash.Append(tokens);
        MemoryMarshal.Cast<byte, int>(tokens).CopyTo(ids);
        return identity.Parent.Next(ids) != identity.Hash ? Faulty(info, ChunkFault.Tokens)
            : Convert.ToHexStringLower(hash.GetCurrentHash()) != stated.Checksum ? Faulty(info, ChunkFault.Checksum)
            : new(info, identity with { TokenIds = ids }, stated.Checksum, null);
    }

    private async Task ReadAsync(ObjectInfo info, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        try
        {
            if (await store.ReadAsync(info.Key, offset, destination, cancellationToken).ConfigureAwait(false) != info.Version)
            {
                throw new ChangedException();
            }
        }
        catch (EndOfStreamException e)
        {
            throw new ChangedException(e);
        }
    }

    private static string TenantOf(string key) => key.Split('/') is [_, var tenant, ..] ? tenant : "";

    private static ChunkInspection Faulty(ObjectInfo info, ChunkFault fault) => new(info, null, null, fault);

    private sealed class ChangedException(Exception? inner = null) : Exception("The object changed while it was read.", inner);
}

/// <summary>What a stored chunk turned out to be.</summary>
/// <param name="Object">The object, as it was read.</param>
/// <param name="Identity">The chunk; <see langword="null"/> where it has a fault.</param>
/// <param name="Checksum">Its checksum, which its data has; <see langword="null"/> where it has a fault.</param>
/// <param name="Fault">Its fault, or none.</param>
public sealed record ChunkInspection(ObjectInfo Object, ChunkIdentity? Identity, string? Checksum, ChunkFault? Fault);
