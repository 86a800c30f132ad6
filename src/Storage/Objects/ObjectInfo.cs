namespace Granary.Storage.Objects;

/// <summary>An object without its content.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Length">Its content's bytes.</param>
/// <param name="Version">Its version.</param>
/// <param name="LastModified">When it was last written or touched, UTC.</param>
public sealed record ObjectInfo(string Key, long Length, ObjectVersion Version, DateTimeOffset LastModified);
