using System.Buffers;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Granary.Storage.Chunks;
using Granary.Storage.Errors;
using Granary.Storage.Objects;

namespace Granary.Storage.Manifests;

/// <summary>Keeps long lists of token ids in blobs of their own: immutable, named by content, checked on every read.</summary>
/// <remarks>Format: this folder's README. A tenant's blobs lie under its name: another's is never read (invariant 12).</remarks>
/// <param name="store">Where they lie.</param>
internal sealed class TokenBlobStore(IObjectStore store)
{
    private const int MaxWriteAttempts = 4;
    private const string Extension = ".tokens";
    private const string Absent = "it is absent";

    private static ReadOnlySpan<byte> Domain => "granary.token-ids.1"u8;

    public static string PrefixOf(string tenant) => $"tokens/{ObjectKey.CheckName("tenant", tenant)}/";

    public static string KeyOf(string tenant, string hash) => $"{PrefixOf(tenant)}{hash[..2]}/{hash}{Extension}";

    /// <summary>Gets the name of a list of ids.</summary>
    public static TokenBlobName NameOf(ReadOnlySpan<int> ids) => new(HashOf(LittleEndian.Bytes(ids)), ids.Length);

    /// <summary>Gets the hash that a key names, or null where no blob can have that key.</summary>
    private static string? FindHash(string tenant, string key)
    {
        var hash = Path.GetFileNameWithoutExtension(key);
        return TokenBlobName.IsHash(hash) && key == KeyOf(tenant, hash) ? hash : null;
    }

    /// <summary>Makes sure that a blob is there and right, and that no sweep that listed it before takes it.</summary>
    /// <exception cref="ObjectConflictException">Others change it all the time.</exception>
    public async Task WriteAsync(string tenant, TokenBlobName name, ReadOnlyMemory<int> ids, CancellationToken cancellationToken)
    {
        var key = KeyOf(tenant, name.Hash);
        var content = new ReadOnlySequence<byte>(LittleEndian.Bytes(ids.Span).ToArray());
        var precondition = Precondition.Absent;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await store.PutAsync(key, content, precondition, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (ObjectConflictException) when (attempt < MaxWriteAttempts)
            {
                var (_, fault, version) = await ReadAsync(tenant, name, cancellationToken).ConfigureAwait(false);
                if (fault is null && await store.TouchAsync(key, cancellationToken).ConfigureAwait(false))
                {
                    return;
                }

                // Bad bytes under our name are replaced, unless someone was quicker; what a sweep took meanwhile is written again.
                precondition = fault is not null && version is not null ? Precondition.Unchanged(version) : Precondition.Absent;
            }
        }
    }

    /// <summary>Reads a blob and checks it.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="name">What is expected; its count within <see cref="ContextManifest.MaxTokenIds"/>.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The ids, or why they cannot be trusted, and the version that was there, if any was.</returns>
    public async Task<(int[]? Ids, string? Fault, ObjectVersion? Version)> ReadAsync(string tenant, TokenBlobName name, CancellationToken cancellationToken)
    {
        var key = KeyOf(tenant, name.Hash);
        if (await store.HeadAsync(key, cancellationToken).ConfigureAwait(false) is not { } info)
        {
            return (null, Absent, null);
        }

        // Before anything is allocated: a small manifest may state a large count.
        if (info.Length != name.Count * sizeof(int))
        {
            return (null, $"it has {info.Length:N0} bytes, {name.Count * sizeof(int):N0} are right", info.Version);
        }

        var bytes = new byte[info.Length];
        try
        {
            if (await store.ReadAsync(key, 0, bytes, cancellationToken).ConfigureAwait(false) is not { } version)
            {
                return (null, Absent, null);
            }

            if (HashOf(bytes) != name.Hash)
            {
                return (null, "its hash does not match its bytes", version);
            }

            var ids = MemoryMarshal.Cast<byte, int>(bytes).ToArray();
            return ids.AsSpan().IndexOfAnyExceptInRange(0, int.MaxValue) < 0 ? (ids, null, version) : (null, "a token id is negative", version);
        }
        catch (EndOfStreamException)
        {
            return (null, "it became shorter while it was read", null);
        }
    }

    /// <summary>Checks a blob by its key alone.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="blob">The blob, as it was listed.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>What is wrong with it, or null; null too where it has gone meanwhile.</returns>
    public async Task<string?> FindFaultAsync(string tenant, ObjectInfo blob, CancellationToken cancellationToken)
    {
        const long MostBytes = (long)ContextManifest.MaxTokenIds * sizeof(int);
        if (FindHash(tenant, blob.Key) is not { } hash)
        {
            return "no list of token ids has that name";
        }

        if (blob.Length is 0 or > MostBytes || blob.Length % sizeof(int) != 0)
        {
            return $"it has {blob.Length:N0} bytes; a multiple of {sizeof(int)} up to {MostBytes:N0} is right";
        }

        var (_, fault, version) = await ReadAsync(tenant, new TokenBlobName(hash, blob.Length / sizeof(int)), cancellationToken).ConfigureAwait(false);
        return version is null ? null : fault;
    }

    private static string HashOf(ReadOnlySpan<byte> bytes)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Domain);
        hash.AppendData(bytes);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
