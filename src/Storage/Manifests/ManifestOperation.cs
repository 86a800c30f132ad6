namespace Granary.Storage.Manifests;

/// <summary>An operation that a caller may send again, and the version that it made.</summary>
/// <param name="OperationId">The caller's id.</param>
/// <param name="Version">The version.</param>
public sealed record ManifestOperation(string OperationId, long Version);
