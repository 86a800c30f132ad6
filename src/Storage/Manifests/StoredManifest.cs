using Granary.Storage.Objects;

namespace Granary.Storage.Manifests;

/// <summary>A manifest as it was read or committed.</summary>
/// <param name="Manifest">The manifest.</param>
/// <param name="Version">The object's version: the fence of the next commit.</param>
public sealed record StoredManifest(ContextManifest Manifest, ObjectVersion Version)
{
    /// <summary>Gets the blob that its ids lie in; <see langword="null"/> where they stand in the manifest.</summary>
    internal TokenBlobName? TokenBlob { get; init; }
}
