using Granary.Storage.Objects;

namespace Granary.Storage.Manifests;

/// <summary>A manifest that was listed, not read.</summary>
/// <param name="Tenant">The tenant.</param>
/// <param name="Model">The model id.</param>
/// <param name="Name">The context's name.</param>
/// <param name="Version">The object's version, which each commit changes.</param>
public readonly record struct ListedManifest(string Tenant, string Model, string Name, ObjectVersion Version);
