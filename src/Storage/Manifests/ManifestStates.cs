namespace Granary.Storage.Manifests;

/// <summary>The states that a manifest may be in.</summary>
public static class ManifestStates
{
    /// <summary>All ids are recorded; the chunks are being computed.</summary>
    public const string Accepted = "accepted";

    /// <summary>All chunks are stored: acknowledged.</summary>
    public const string Stored = "stored";

    /// <summary>A tombstone, which keeps late writers from reviving the name.</summary>
    public const string Deleted = "deleted";
}
