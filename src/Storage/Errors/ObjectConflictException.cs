namespace Granary.Storage.Errors;

/// <summary>A conditional write or delete lost: the object is no longer what the caller read. Nothing was changed; read again and decide anew.</summary>
/// <remarks>Invariant 4: it is the fence. It has a type of its own because a caller acts on it, and shows it to nobody.</remarks>
/// <param name="key">The object's key.</param>
/// <param name="inner">The cause, kept for logs.</param>
public sealed class ObjectConflictException(string key, Exception? inner = null)
    : Exception($"'{key}' was changed by another writer.", inner)
{
    /// <summary>Gets the object's key.</summary>
    public string Key { get; } = key;
}
