using Granary.Contexts;
using Granary.Storage.Manifests;

namespace Granary.Grains.Contexts;

/// <summary>Describes a context as its manifest has it.</summary>
internal static class ManifestDescription
{
    /// <summary>Describes a context.</summary>
    /// <param name="manifest">Its manifest.</param>
    /// <param name="resident">Whether its pages are in device memory.</param>
    public static ContextDescription Of(ContextManifest manifest, bool resident)
    {
        // Each numerics id that holds the context lists the same pages, stored apart.
        var chunks = manifest.Chunks.Values.ToArray();
        return new ContextDescription
        {
            Context = manifest.Name,
            Model = manifest.Model,
            State = manifest.State,
            Version = manifest.Version,
            Tokens = manifest.TokenIds.Length,
            Pages = chunks.Select(static list => list.Length).DefaultIfEmpty().Max(),
            StoredBytes = manifest.State == ManifestStates.Stored ? chunks.Sum(static list => list.Sum(static chunk => chunk.Bytes)) : 0,
            Resident = resident,
            Created = manifest.Created,
            Expires = manifest.Expires,
            Labels = new Dictionary<string, string>(manifest.Labels),
            Parent = manifest.Parent,
            TruncatedTokens = manifest.TruncatedTokens,
            PinnedUntil = manifest.PinnedUntil,
            TimeToLive = manifest.TimeToLive,
        };
    }
}
