using Granary.Contexts;
using Granary.Grains.Contexts;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Microsoft.Extensions.Caching.Memory;

namespace Granary.Grains.Models;

/// <summary>What listings say of contexts, by the versions of their manifests: a listing reads only those that it does not know or that have changed.</summary>
internal sealed class ContextSummaries(ManifestStore manifests) : IDisposable
{
    /// <summary>The bytes that are kept, about; those that were not listed for longest go first.</summary>
    public const long MostBytes = 64 << 20;

    private const int BytesWithoutLabels = 500;
    private readonly MemoryCache _known = new(new MemoryCacheOptions { SizeLimit = MostBytes });

    /// <summary>Finds what a listing says of a context.</summary>
    /// <param name="listed">What the store has just listed.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The context, as if it were not resident, a tombstone too; <see langword="null"/> where it has gone meanwhile.</returns>
    /// <exception cref="Storage.Errors.StorageException"><c>ManifestInvalid</c>, <c>StoreUnavailable</c>: see the message.</exception>
    public async Task<ContextDescription?> FindAsync(ListedManifest listed, CancellationToken cancellationToken)
    {
        var key = (listed.Tenant, listed.Model, listed.Name);
        if (!_known.TryGetValue(key, out Summary? summary) || summary!.Version != listed.Version)
        {
            if (await manifests.FindSummaryAsync(listed.Tenant, listed.Model, listed.Name, cancellationToken) is not var (manifest, tokens, version))
            {
                return null;
            }

            summary = new Summary(version, ManifestDescription.Of(manifest, resident: false) with { Tokens = tokens });
            _known.Set(key, summary, new MemoryCacheEntryOptions { Size = BytesOf(summary.Context) });
        }

        return summary.Context with { Labels = new(summary.Context.Labels) }; // whoever gets it may change them
    }

    /// <inheritdoc/>
    public void Dispose() => _known.Dispose();

    private static long BytesOf(ContextDescription context) =>
        BytesWithoutLabels + context.Labels.Sum(static label => (long)sizeof(char) * (label.Key.Length + label.Value.Length));

    private sealed record Summary(ObjectVersion Version, ContextDescription Context);
}
