using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using Granary.Storage.Errors;

namespace Granary.Storage.Objects;

/// <summary>An object store in this process's memory, for tests: nothing survives the instance.</summary>
/// <param name="time">Gives the objects' times.</param>
public sealed class InMemoryObjectStore(TimeProvider time) : IObjectStore
{
    private const int PageLength = 256;

    private readonly Lock _gate = new();
    private readonly SortedList<string, Entry> _entries = new(StringComparer.Ordinal);
    private long _lastVersion;

    /// <inheritdoc/>
    public string Description => "memory://";

    /// <inheritdoc/>
    public Task<ObjectVersion> PutAsync(string key, ReadOnlySequence<byte> content, Precondition precondition, CancellationToken cancellationToken) =>
        Run(key, current =>
        {
            Require(key, precondition, current);
            var entry = NewEntry(content.ToArray());
            _entries[key] = entry;
            return entry.Version;
        }, cancellationToken);

    /// <inheritdoc/>
    public Task<StoredObject?> FindAsync(string key, CancellationToken cancellationToken) =>
        Run(key, current => current switch
        {
            null => null,
            { Content.LongLength: > IObjectStore.MaxFindBytes } => throw ObjectFaults.TooLarge(key, current.Content.LongLength),
            _ => new StoredObject([.. current.Content], current.Version),
        }, cancellationToken);

    /// <inheritdoc/>
    public Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken) =>
        Run(key, current => current?.Describe(key), cancellationToken);

    /// <inheritdoc/>
    public Task<ObjectVersion?> ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return Run(key, current =>
        {
            if (current is not null && offset > current.Content.Length - destination.Length)
            {
                throw ObjectFaults.TooShort(key, offset, destination.Length);
            }

            current?.Content.AsMemory((int)offset, destination.Length).CopyTo(destination);
            return current?.Version;
        }, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<bool> TouchAsync(string key, CancellationToken cancellationToken) =>
        Run(key, current =>
        {
            if (current is not null)
            {
                _entries[key] = NewEntry(current.Content);
            }

            return current is not null;
        }, cancellationToken);

    /// <inheritdoc/>
    public Task<bool> DeleteAsync(string key, Precondition precondition, CancellationToken cancellationToken) =>
        Run(key, current =>
        {
            if (current is not null)
            {
                Require(key, precondition, current);
            }

            return _entries.Remove(key);
        }, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellationToken) => ListAsync(prefix, null, cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, string? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ObjectKey.CheckPrefix(prefix);
        var last = after;
        while (true)
        {
            var page = NextPage(prefix, last);
            foreach (var info in page)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return info;
            }

            if (page.Count < PageLength)
            {
                yield break;
            }

            last = page[^1].Key;
            await Task.Yield();
        }
    }

    private List<ObjectInfo> NextPage(string prefix, string? last)
    {
        lock (_gate)
        {
            return [.. _entries
                .Where(e => e.Key.StartsWith(prefix, StringComparison.Ordinal) && string.CompareOrdinal(e.Key, last) > 0)
                .Take(PageLength)
                .Select(e => e.Value.Describe(e.Key))];
        }
    }

    private Task<T> Run<T>(string key, Func<Entry?, T> act, CancellationToken cancellationToken)
    {
        try
        {
            ObjectKey.Check(key);
            cancellationToken.ThrowIfCancellationRequested();
            lock (_gate)
            {
                return Task.FromResult(act(_entries.GetValueOrDefault(key)));
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled<T>(cancellationToken);
        }
        catch (Exception e) when (e is StorageException or ObjectConflictException or EndOfStreamException)
        {
            return Task.FromException<T>(e); // as the other stores do: at the await
        }
    }

    private static void Require(string key, Precondition precondition, Entry? current)
    {
        if (!precondition.Holds(current?.Version))
        {
            throw new ObjectConflictException(key);
        }
    }

    private Entry NewEntry(byte[] content) =>
        new(content, new ObjectVersion((++_lastVersion).ToString(CultureInfo.InvariantCulture)), time.GetUtcNow());

    private sealed record Entry(byte[] Content, ObjectVersion Version, DateTimeOffset LastModified)
    {
        public ObjectInfo Describe(string key) => new(key, Content.LongLength, Version, LastModified);
    }
}
