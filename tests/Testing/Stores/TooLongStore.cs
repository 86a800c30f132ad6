using Granary.Storage.Errors;
using Granary.Storage.Objects;

namespace Granary.Testing.Stores;

/// <summary>A store that says of one object that it is longer than <see cref="IObjectStore.FindAsync"/> reads, without the bytes.</summary>
public sealed class TooLongStore(IObjectStore inner, string longKey) : DelegatingStore(inner)
{
    public override Task<StoredObject?> FindAsync(string key, CancellationToken cancellationToken) => key == longKey
        ? Task.FromException<StoredObject?>(new StorageException("RequestTooLarge", $"'{key}' is longer than {IObjectStore.MaxFindBytes:N0} bytes.", "Read ranges."))
        : base.FindAsync(key, cancellationToken);
}
