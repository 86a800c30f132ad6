namespace Granary.Storage.Manifests;

/// <summary>An operation that a caller may send again, the version that it made, and the token ids that it added.</summary>
/// <param name="OperationId">The caller's id.</param>
/// <param name="Version">The version.</param>
/// <param name="Start">How many ids the context had before it.</param>
/// <param name="Count">How many it added; 0 where it changed something else.</param>
public sealed record ManifestOperation(string OperationId, long Version, int Start = 0, int Count = 0);
