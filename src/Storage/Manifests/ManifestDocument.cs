using System.Text.Json.Serialization;
using Granary.Storage.Sealing;

namespace Granary.Storage.Manifests;

/// <summary>A manifest as it is stored: its ids stand in it, or the name of their blob does.</summary>
internal sealed record ManifestDocument
{
    public required int FormatVersion { get; init; }

    public required string Tenant { get; init; }

    public required string Model { get; init; }

    public required string Name { get; init; }

    public required string Incarnation { get; init; }

    public required long Version { get; init; }

    public required string CommitId { get; init; }

    public required string State { get; init; }

    public required string Fingerprint { get; init; }

    public bool Shared { get; init; } // not in what earlier builds wrote

    public required IReadOnlyDictionary<string, ManifestChunk[]> Chunks { get; init; }

    [JsonConverter(typeof(CompactTokenIds))]
    public int[]? TokenIds { get; init; }

    public TokenBlobName? TokenBlob { get; init; }

    public string? TokenizerDigest { get; init; }

    public required DateTimeOffset Created { get; init; }

    public required DateTimeOffset Updated { get; init; }

    public DateTimeOffset? Expires { get; init; }

    public TimeSpan? TimeToLive { get; init; } // not in what earlier builds wrote

    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    public DateTimeOffset? PinnedUntil { get; init; }

    public required int TruncatedTokens { get; init; }

    public string? Parent { get; init; }

    public required IReadOnlyList<ManifestOperation> Operations { get; init; }

    [JsonIgnore]
    public long TokenCount => TokenIds?.Length ?? TokenBlob?.Count ?? 0;

    /// <summary>Gets what is stored of a manifest.</summary>
    /// <param name="manifest">The manifest.</param>
    /// <param name="blob">Where its ids lie; null where they stand in the document.</param>
    public static ManifestDocument Of(ContextManifest manifest, TokenBlobName? blob) => new()
    {
        FormatVersion = manifest.FormatVersion,
        Tenant = manifest.Tenant,
        Model = manifest.Model,
        Name = manifest.Name,
        Incarnation = manifest.Incarnation,
        Version = manifest.Version,
        CommitId = manifest.CommitId,
        State = manifest.State,
        Fingerprint = manifest.Fingerprint,
        Shared = manifest.Shared,
        Chunks = manifest.Chunks,
        TokenIds = blob is null ? manifest.TokenIds : null,
        TokenBlob = blob,
        TokenizerDigest = manifest.TokenizerDigest,
        Created = manifest.Created,
        Updated = manifest.Updated,
        Expires = manifest.Expires,
        TimeToLive = manifest.TimeToLive,
        Labels = manifest.Labels,
        PinnedUntil = manifest.PinnedUntil,
        TruncatedTokens = manifest.TruncatedTokens,
        Parent = manifest.Parent,
        Operations = manifest.Operations,
    };

    /// <summary>Gets the manifest.</summary>
    /// <param name="tokenIds">Its ids.</param>
    public ContextManifest ToManifest(int[] tokenIds) => new()
    {
        FormatVersion = FormatVersion,
        Tenant = Tenant,
        Model = Model,
        Name = Name,
        Incarnation = Incarnation,
        Version = Version,
        CommitId = CommitId,
        State = State,
        Fingerprint = Fingerprint,
        Shared = Shared,
        Chunks = Chunks,
        TokenIds = tokenIds,
        TokenizerDigest = TokenizerDigest,
        Created = Created,
        Updated = Updated,
        Expires = Expires,
        TimeToLive = TimeToLive,
        Labels = Labels,
        PinnedUntil = PinnedUntil,
        TruncatedTokens = TruncatedTokens,
        Parent = Parent,
        Operations = Operations,
    };
}
