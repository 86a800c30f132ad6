using System.Buffers;
using Granary.Storage.Objects;

namespace Granary.Testing.Stores;

/// <summary>A store that does what another does; what derives from it changes the one call that a test is about.</summary>
/// <remarks><see cref="IObjectStore.ReadAllAsync"/> is the interface's own, so that it goes through the calls that were changed.</remarks>
public abstract class DelegatingStore(IObjectStore inner) : IObjectStore
{
    public string Description => inner.Description;

    public virtual Task<ObjectVersion> PutAsync(string key, ReadOnlySequence<byte> content, Precondition precondition, CancellationToken cancellationToken) =>
        inner.PutAsync(key, content, precondition, cancellationToken);

    public virtual Task<StoredObject?> FindAsync(string key, CancellationToken cancellationToken) => inner.FindAsync(key, cancellationToken);

    public virtual Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken) => inner.HeadAsync(key, cancellationToken);

    public virtual Task<ObjectVersion?> ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken) =>
        inner.ReadAsync(key, offset, destination, cancellationToken);

    public virtual Task<bool> TouchAsync(string key, CancellationToken cancellationToken) => inner.TouchAsync(key, cancellationToken);

    public virtual Task<bool> DeleteAsync(string key, Precondition precondition, CancellationToken cancellationToken) => inner.DeleteAsync(key, precondition, cancellationToken);

    public virtual IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellationToken) => inner.ListAsync(prefix, cancellationToken);
}
