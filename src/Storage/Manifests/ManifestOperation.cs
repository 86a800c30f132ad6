namespace Granary.Storage.Manifests;

/// <summary>An operation that a caller may send again, the version that it made, and the token ids that it added.</summary>
/// <param name="OperationId">The caller's id.</param>
/// <param name="Version">The version.</param>
/// <param name="Start">How many ids the context had before it.</param>
/// <param name="Count">How many it added; 0 where it changed something else.</param>
public sealed record ManifestOperation(string OperationId, long Version, int Start = 0, int Count = 0)
{
    // Changes of labels, expiry and pin are cheap and may be many: they do not push out what added ids, created or deleted.
    private const int FewestChanges = 16;

    private bool IsChange => this is { Start: > 0, Count: 0 };

    /// <summary>Leaves as many operations as a manifest remembers: changes of labels, expiry and pin go first, down to their last 16, then the oldest of all.</summary>
    /// <param name="operations">Oldest first.</param>
    /// <returns>At most <see cref="ContextManifest.MaxOperations"/>, oldest first.</returns>
    internal static IReadOnlyList<ManifestOperation> Newest(IReadOnlyList<ManifestOperation> operations)
    {
        var tooMany = operations.Count - ContextManifest.MaxOperations;
        if (tooMany <= 0)
        {
            return operations;
        }

        var gone = operations.Where(static operation => operation.IsChange).SkipLast(FewestChanges).Take(tooMany).ToHashSet(ReferenceEqualityComparer.Instance);
        return [.. operations.Where(operation => !gone.Contains(operation)).TakeLast(ContextManifest.MaxOperations)];
    }
}
