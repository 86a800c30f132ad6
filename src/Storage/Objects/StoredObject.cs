namespace Granary.Storage.Objects;

/// <summary>A small object, read whole.</summary>
/// <param name="Content">Its bytes; the caller's own copy.</param>
/// <param name="Version">The version that these bytes belong to.</param>
public sealed record StoredObject(byte[] Content, ObjectVersion Version);
