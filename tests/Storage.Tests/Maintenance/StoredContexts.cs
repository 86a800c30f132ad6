using Granary.Storage.Chunks;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Storage.Specs;
using Granary.Storage.Tests.Chunks;

namespace Granary.Storage.Tests.Maintenance;

/// <summary>Makes contexts as a context grain does: chunks first, then the manifest.</summary>
internal sealed class StoredContexts(IObjectStore store, TimeProvider time, int mostInlineTokenIds = ManifestStore.MostInlineTokenIds, string tenant = StoredContexts.Tenant)
{
    public const string Tenant = "acme";
    public const string Model = "tiny";
    private const int PageSize = 8;
    private const int Attempts = 200;

    private readonly ChunkStore _chunks = new(store);

    public ManifestStore Manifests { get; } = new(store, mostInlineTokenIds);

    /// <summary>Creates a context, or takes its creation up again, whatever answers are lost.</summary>
    public async Task<StoredManifest> CreateAsync(string name, int[] ids, CancellationToken cancellationToken, TimeSpan? life = null)
    {
        var now = time.GetUtcNow();
        var pages = await PagesAsync(ids, cancellationToken);
        var manifest = new ContextManifest
        {
            Tenant = tenant,
            Model = Model,
            Name = name,
            Incarnation = Guid.NewGuid().ToString("N"),
            Version = 1,
            State = ManifestStates.Accepted,
            Fingerprint = Pages.Fingerprint,
            TokenIds = ids,
            Created = now,
            Updated = now,
            Expires = now + life,
        };
        var previous = await RetryAsync(() => Manifests.FindAsync(tenant, Model, name, cancellationToken));
        var accepted = await CommitAsync(manifest, previous, cancellationToken);
        var written = new List<ManifestChunk>();
        foreach (var page in pages)
        {
            var write = await RetryAsync(() => _chunks.WriteAsync(page, Pages.Kv(page, seed: page.Start), cancellationToken));
            written.Add(new ManifestChunk(page.Hash.ToString(), page.Count, write.Bytes, write.Checksum));
        }

        return await CommitAsync(
            accepted.Manifest with { State = ManifestStates.Stored, Chunks = new Dictionary<string, ManifestChunk[]> { [Pages.Numerics] = [.. written] } }, accepted, cancellationToken);
    }

    public async Task DeleteAsync(string name, CancellationToken cancellationToken)
    {
        var stored = await RetryAsync(() => Manifests.FindAsync(tenant, Model, name, cancellationToken));
        await CommitAsync(ManifestStore.Tombstone(stored!.Manifest, time.GetUtcNow()), stored, cancellationToken);
    }

    /// <summary>Reads every page of a context and fails where one is not as it was written.</summary>
    public async Task AssertWholeAsync(string name, CancellationToken cancellationToken)
    {
        var manifest = (await RetryAsync(() => Manifests.FindAsync(tenant, Model, name, cancellationToken)))!.Manifest;
        foreach (var (page, chunk) in (await PagesAsync(manifest.TokenIds, cancellationToken)).Zip(manifest.Chunks[Pages.Numerics]))
        {
            var read = await RetryAsync(() => _chunks.ReadAsync(page, chunk.Checksum, new byte[page.KvBytes], cancellationToken));
            Assert.True(read.Fault is null, $"'{name}' at token {page.Start}: {read.Fault}");
        }
    }

    public async Task<ChunkIdentity[]> PagesAsync(int[] ids, CancellationToken cancellationToken)
    {
        var salt = await RetryAsync(() => new TenantStore(store).GetSaltAsync(tenant, cancellationToken));
        return ChunkChain.Of(salt, Pages.Fingerprint, Pages.Numerics, ids, PageSize, tenant, Pages.Shape);
    }

    private Task<StoredManifest> CommitAsync(ContextManifest next, StoredManifest? previous, CancellationToken cancellationToken) =>
        RetryAsync(() => Manifests.CommitAsync(next, previous, cancellationToken));

    private static async Task<T> RetryAsync<T>(Func<Task<T>> call)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await call();
            }
            catch (StorageException e) when (e.Code == StorageErrorCodes.StoreUnavailable && attempt < Attempts)
            {
            }
        }
    }
}
