namespace Granary.Storage.Manifests;

/// <summary>An operation that a caller may send again, the version that it made, and the token ids that it added.</summary>
/// <param name="OperationId">The caller's id.</param>
/// <param name="Version">The version.</param>
/// <param name="Start">How many ids the context had before it.</param>
/// <param name="Count">How many it added; 0 where it changed something else.</param>
/// <param name="Done">When it was done, UTC; <see langword="null"/> in what earlier builds wrote.</param>
public sealed record ManifestOperation(string OperationId, long Version, int Start = 0, int Count = 0, DateTimeOffset? Done = null)
{
    // Changes of labels, expiry and pin are cheap and may be many: they do not push out what added ids, created or deleted.
    private const int FewestChanges = 16;

    private bool IsChange => this is { Start: > 0, Count: 0 };

    /// <summary>Leaves those that a manifest remembers: all of the last <see cref="ContextManifest.OperationsTime"/>, up to <see cref="ContextManifest.MaxOperations"/>,
    /// and of the older ones as many as make <see cref="ContextManifest.FewestOperations"/>. Changes of labels, expiry and pin go first, down to their last 16, then the oldest.</summary>
    /// <param name="operations">Oldest first.</param>
    /// <returns>Those that stay, oldest first.</returns>
    internal static IReadOnlyList<ManifestOperation> Newest(IReadOnlyList<ManifestOperation> operations)
    {
        var tooMany = operations.Count - ContextManifest.FewestOperations;
        if (tooMany <= 0)
        {
            return operations;
        }

        var since = operations.Max(static operation => operation.Done) - ContextManifest.OperationsTime;
        var gone = operations.Where(static operation => operation.IsChange).SkipLast(FewestChanges).Where(IsOld).Take(tooMany).ToHashSet(ReferenceEqualityComparer.Instance);
        gone.UnionWith(operations.Where(operation => IsOld(operation) && !gone.Contains(operation)).Take(tooMany - gone.Count).ToList());
        return [.. operations.Where(operation => !gone.Contains(operation)).TakeLast(ContextManifest.MaxOperations)];

        bool IsOld(ManifestOperation operation) => !(operation.Done >= since);
    }
}
