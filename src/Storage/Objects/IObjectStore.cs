using System.Buffers;

namespace Granary.Storage.Objects;

/// <summary>A flat store of objects by key, with conditional writes: the only durable thing in Granary.</summary>
/// <remarks>
/// Keys are paths of one or more segments (<see cref="ObjectKey"/>); no key may be a folder of another. A write is seen whole or not at all, and
/// is durable once the call returns. Every store passes the same contract suite. Invariant 4: preconditions are the fence between writers.
/// All methods throw <see cref="Errors.StorageException"/> with <c>InvalidName</c> (choose another key), <c>StoreUnavailable</c> (see that the store
/// answers) and, on writes, <c>StoreFull</c> (make room) and <c>StoreReadOnly</c> (give this process the right to write).
/// </remarks>
public interface IObjectStore
{
    /// <summary>The longest object that <see cref="FindAsync"/> reads, in bytes.</summary>
    const long MaxFindBytes = 64L << 20;

    /// <summary>Gets where the store is, for messages; without secrets.</summary>
    string Description { get; }

    /// <summary>Writes an object whole.</summary>
    /// <param name="key">The object's key.</param>
    /// <param name="content">Its bytes; borrowed until the call ends, and not copied where the store can avoid it.</param>
    /// <param name="precondition">What must hold of the present object.</param>
    /// <param name="cancellationToken">Cancels; the write may then have happened or not.</param>
    /// <returns>The new object's version.</returns>
    /// <exception cref="Errors.ObjectConflictException">The precondition does not hold; nothing was written. Read again.</exception>
    Task<ObjectVersion> PutAsync(string key, ReadOnlySequence<byte> content, Precondition precondition, CancellationToken cancellationToken);

    /// <summary>Reads a small object whole.</summary>
    /// <param name="key">The object's key.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>Content and version, or <see langword="null"/> where there is none.</returns>
    /// <exception cref="Errors.StorageException"><c>RequestTooLarge</c>: it is longer than <see cref="MaxFindBytes"/>; read ranges.</exception>
    Task<StoredObject?> FindAsync(string key, CancellationToken cancellationToken);

    /// <summary>Gets an object's length, version and time.</summary>
    /// <param name="key">The object's key.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The object's data, or <see langword="null"/> where there is none.</returns>
    Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken);

    /// <summary>Reads a range of an object in place.</summary>
    /// <param name="key">The object's key.</param>
    /// <param name="offset">The first byte; 0 or more.</param>
    /// <param name="destination">Is filled to its end; the store writes to it until the call ends, and not after.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The version that the bytes belong to, or <see langword="null"/> where there is no object.</returns>
    /// <exception cref="EndOfStreamException">The object is shorter than <c>offset + destination.Length</c>.</exception>
    Task<ObjectVersion?> ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken);

    /// <summary>Reads a whole object in place, into memories that follow each other.</summary>
    /// <param name="key">The object's key.</param>
    /// <param name="parts">Are filled in order, where the object is as long as they are together; the store writes to them until the call ends, and not after.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>
    /// The object, or <see langword="null"/> where there is none. Where its length is not that of the parts, nothing was read. Another write may come in between
    /// where a store needs several requests: who reads checks the bytes.
    /// </returns>
    /// <exception cref="EndOfStreamException">The object became shorter meanwhile.</exception>
    /// <remarks>This implementation asks for the length and then for all parts at once; a store that can do with one request does.</remarks>
    async Task<ObjectInfo?> ReadAllAsync(string key, IReadOnlyList<Memory<byte>> parts, CancellationToken cancellationToken)
    {
        var info = await HeadAsync(key, cancellationToken).ConfigureAwait(false);
        if (info is null || info.Length != parts.Sum(static part => (long)part.Length))
        {
            return info;
        }

        var offset = 0L;
        var reads = new Task<ObjectVersion?>[parts.Count];
        for (var index = 0; index < reads.Length; index++)
        {
            reads[index] = ReadAsync(key, offset, parts[index], cancellationToken);
            offset += parts[index].Length;
        }

        var versions = await Task.WhenAll(reads).ConfigureAwait(false);
        return versions.Contains(null) ? null : info;
    }

    /// <summary>Raises an object's time and version, so that a collector that listed it before leaves it alone.</summary>
    /// <param name="key">The object's key.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns><see langword="false"/> where there is no object.</returns>
    Task<bool> TouchAsync(string key, CancellationToken cancellationToken);

    /// <summary>Deletes an object.</summary>
    /// <param name="key">The object's key.</param>
    /// <param name="precondition">What must hold of the object, if there is one.</param>
    /// <param name="cancellationToken">Cancels; the delete may then have happened or not.</param>
    /// <returns><see langword="false"/> where there was no object.</returns>
    /// <exception cref="Errors.ObjectConflictException">The precondition does not hold; nothing was deleted. Read again.</exception>
    Task<bool> DeleteAsync(string key, Precondition precondition, CancellationToken cancellationToken);

    /// <summary>Lists the objects whose keys start with a prefix, by key in ordinal order; pages are fetched as they are needed.</summary>
    /// <param name="prefix">The start of the keys, any number of characters; empty for all.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The objects; one that comes or goes meanwhile may be listed or not.</returns>
    IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellationToken);

    /// <summary>Lists the objects whose keys start with a prefix and come after another key, in ordinal order.</summary>
    /// <param name="prefix">The start of the keys, any number of characters; empty for all.</param>
    /// <param name="after">The key; it need not be there. <see langword="null"/> for all.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The objects; one that comes or goes meanwhile may be listed or not.</returns>
    /// <remarks>This implementation lists those before, too, and leaves them out; a store that can do better does.</remarks>
    IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, string? after, CancellationToken cancellationToken) =>
        after is null ? ListAsync(prefix, cancellationToken) : ListAsync(prefix, cancellationToken).Where(info => string.CompareOrdinal(info.Key, after) > 0);
}
