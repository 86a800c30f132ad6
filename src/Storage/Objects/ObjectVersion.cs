namespace Granary.Storage.Objects;

/// <summary>What an object was when it was read or written; never the same again after a put or a touch, not even when the object is deleted and made anew.</summary>
/// <param name="ETag">The store's own mark; opaque.</param>
public sealed record ObjectVersion(string ETag);
