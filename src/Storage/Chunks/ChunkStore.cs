using System.IO.Hashing;
using Granary.Storage.Errors;
using Granary.Storage.Objects;

namespace Granary.Storage.Chunks;

/// <summary>Writes and reads pages as chunks: immutable, named by content, checked on every read.</summary>
/// <remarks>Format: this folder's README. KV is written from and read to the caller's memory; no copy is made here.</remarks>
/// <param name="store">Where chunks lie.</param>
public sealed class ChunkStore(IObjectStore store)
{
    private const int MaxWriteAttempts = 4;

    private static readonly string AnyChecksum = new('0', ChunkHeader.ChecksumLength);

    /// <summary>Gets the bytes that a chunk takes in the store: header and data.</summary>
    /// <param name="identity">The chunk.</param>
    /// <returns>Bytes.</returns>
    public static long StoredBytes(ChunkIdentity identity) => HeaderLength(identity) + identity.DataBytes;

    /// <summary>Writes a chunk, unless it is there already: then it is touched, so that no collector takes it.</summary>
    /// <param name="identity">The chunk.</param>
    /// <param name="kv">The page's memory, <see cref="ChunkIdentity.KvBytes"/> long; borrowed until the call ends.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The stored bytes and checksum.</returns>
    /// <exception cref="StorageException">The store cannot be written; its message names the remedy.</exception>
    public Task<ChunkWrite> WriteAsync(ChunkIdentity identity, ReadOnlyMemory<byte> kv, CancellationToken cancellationToken) =>
        WriteAsync(identity, kv, Precondition.Absent, cancellationToken);

    /// <summary>Replaces a bad chunk by the right one; where another has done so, that one is kept.</summary>
    /// <param name="identity">The chunk.</param>
    /// <param name="kv">The page's memory, computed anew; borrowed until the call ends.</param>
    /// <param name="bad">The version that failed its checks.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The stored bytes and checksum.</returns>
    /// <exception cref="StorageException">The store cannot be written; its message names the remedy.</exception>
    public Task<ChunkWrite> RepairAsync(ChunkIdentity identity, ReadOnlyMemory<byte> kv, ObjectVersion bad, CancellationToken cancellationToken) =>
        WriteAsync(identity, kv, Precondition.Unchanged(bad), cancellationToken);

    /// <summary>Reads a chunk's KV in place and checks everything about it.</summary>
    /// <param name="identity">What is expected.</param>
    /// <param name="expectedChecksum">The manifest's checksum, or <see langword="null"/> where it names none.</param>
    /// <param name="kv">The page's memory, <see cref="ChunkIdentity.KvBytes"/> long; after a fault its content means nothing.</param>
    /// <param name="cancellationToken">Cancels; the memory is not written to once the call has ended.</param>
    /// <returns>A fault, or none.</returns>
    /// <exception cref="StorageException"><c>StoreUnavailable</c>: the store does not answer; see its message.</exception>
    /// <remarks>Invariant 1: a bad chunk is a fault to count and recompute, not an exception.</remarks>
    public async Task<ChunkRead> ReadAsync(ChunkIdentity identity, string? expectedChecksum, Memory<byte> kv, CancellationToken cancellationToken)
    {
        RequireLength(identity, kv.Length);
        var header = new byte[HeaderLength(identity)];
        var tokens = new byte[identity.DataBytes - identity.KvBytes];
        try
        {
            // A repair may come in between where the store needs several requests: the checks below hold of what was read, whoever wrote it.
            if (await store.ReadAllAsync(identity.Key, [header, kv, tokens], cancellationToken).ConfigureAwait(false) is not { } info)
            {
                return new(ChunkFault.Absent, null);
            }

            var fault = info.Length == header.Length + identity.DataBytes ? FindFault(identity, expectedChecksum, header, kv.Span, tokens) : ChunkFault.Length;
            return new(fault, info.Version);
        }
        catch (EndOfStreamException)
        {
            return new(ChunkFault.Length, null);
        }
    }

    /// <summary>Gets whether a chunk is there with the right length; its bytes are not looked at: whoever reads it checks them.</summary>
    /// <param name="identity">The chunk.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>Whether it is.</returns>
    /// <exception cref="StorageException"><c>StoreUnavailable</c>: the store does not answer; see its message.</exception>
    public async Task<bool> ExistsAsync(ChunkIdentity identity, CancellationToken cancellationToken) =>
        await store.HeadAsync(identity.Key, cancellationToken).ConfigureAwait(false) is { } info && info.Length == StoredBytes(identity);

    /// <summary>Sums up the chunks of a tenant, those that nobody names any more included.</summary>
    /// <param name="tenant">The tenant, or <see cref="ChunkIdentity.SharedTenant"/>.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>Bytes.</returns>
    /// <exception cref="StorageException"><c>StoreUnavailable</c>: the store does not answer; see its message.</exception>
    public async Task<long> SumBytesAsync(string tenant, CancellationToken cancellationToken) =>
        await store.ListAsync(ChunkIdentity.PrefixOf(tenant), cancellationToken).Select(static info => info.Length).SumAsync(cancellationToken).ConfigureAwait(false);

    /// <summary>Touches a chunk, so that a collector that listed it before leaves it alone.</summary>
    /// <param name="identity">The chunk.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns><see langword="false"/> where there is none.</returns>
    public Task<bool> TouchAsync(ChunkIdentity identity, CancellationToken cancellationToken) => store.TouchAsync(identity.Key, cancellationToken);

    private async Task<ChunkWrite> WriteAsync(ChunkIdentity identity, ReadOnlyMemory<byte> kv, Precondition precondition, CancellationToken cancellationToken)
    {
        RequireLength(identity, kv.Length);
        // Checksums run at memory speed, but over megabytes: not on the caller's turn.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var tokens = LittleEndian.Bytes(identity.TokenIds.Span).ToArray();
        var checksum = ChecksumOf(kv.Span, tokens);
        var content = ByteSegment.Join(ChunkHeader.Build(identity, checksum), kv, tokens);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await store.PutAsync(identity.Key, content, precondition, cancellationToken).ConfigureAwait(false);
                return new(content.Length, checksum, Existed: false);
            }
            catch (ObjectConflictException) when (attempt < MaxWriteAttempts)
            {
                var (present, version) = await InspectAsync(identity, checksum, cancellationToken).ConfigureAwait(false);
                if (present is not null && await TouchAsync(identity, cancellationToken).ConfigureAwait(false))
                {
                    return new(content.Length, present, Existed: true);
                }

                // Bad bytes under our name are replaced, unless someone was quicker; what a collector took meanwhile is written again.
                precondition = present is null && version is not null ? Precondition.Unchanged(version) : Precondition.Absent;
            }
        }
    }

    /// <summary>Gets a present chunk's checksum, or <see langword="null"/> where it is absent (without version) or bad (with version).</summary>
    private async Task<(string? Checksum, ObjectVersion? Version)> InspectAsync(ChunkIdentity identity, string expectedChecksum, CancellationToken cancellationToken)
    {
        if (await store.HeadAsync(identity.Key, cancellationToken).ConfigureAwait(false) is not { } info)
        {
            return (null, null);
        }

        if (info.Length != StoredBytes(identity))
        {
            return (null, info.Version);
        }

        try
        {
            var header = new byte[HeaderLength(identity)];
            await store.ReadAsync(identity.Key, 0, header, cancellationToken).ConfigureAwait(false);
            var stated = ChunkHeader.FindChecksum(identity, header);
            // The same checksum as ours is enough here: readers look at the data. Another one is either damage or, within inexact numerics, other bits that are right too.
            var good = stated is not null && (stated == expectedChecksum || stated == await ChecksumOfStoredAsync(identity, header.Length, cancellationToken).ConfigureAwait(false));
            return (good ? stated : null, info.Version);
        }
        catch (EndOfStreamException)
        {
            return (null, info.Version);
        }
    }

    private async Task<string> ChecksumOfStoredAsync(ChunkIdentity identity, int headerLength, CancellationToken cancellationToken)
    {
        var hash = new XxHash128();
        await StoredData.AppendAsync(
            hash, headerLength, identity.DataBytes, (offset, slice) => store.ReadAsync(identity.Key, offset, slice, cancellationToken)).ConfigureAwait(false);
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    private static ChunkFault? FindFault(ChunkIdentity identity, string? expectedChecksum, ReadOnlySpan<byte> header, ReadOnlySpan<byte> kv, ReadOnlySpan<byte> tokens)
    {
        if (ChunkHeader.FindChecksum(identity, header) is not { } stated)
        {
            return ChunkFault.Header;
        }

        if (!tokens.SequenceEqual(LittleEndian.Bytes(identity.TokenIds.Span)))
        {
            return ChunkFault.Tokens;
        }

        return (expectedChecksum ?? stated) != stated || ChecksumOf(kv, tokens) != stated ? ChunkFault.Checksum : null;
    }

    private static string ChecksumOf(ReadOnlySpan<byte> kv, ReadOnlySpan<byte> tokens)
    {
        var hash = new XxHash128();
        hash.Append(kv);
        hash.Append(tokens);
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    private static int HeaderLength(ChunkIdentity identity) => ChunkHeader.Build(identity, AnyChecksum).Length;

    private static void RequireLength(ChunkIdentity identity, int length)
    {
        if (length != identity.KvBytes || identity.TokenIds.Length != identity.Count)
        {
            throw new ArgumentException($"The page has {length:N0} KV bytes and {identity.TokenIds.Length} token ids; its shape says {identity.KvBytes:N0} and {identity.Count}.");
        }
    }
}
