using Granary.Storage.Chunks;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;

namespace Granary.Storage.Maintenance;

/// <summary>Expires contexts and collects what nobody names any more (DESIGN §5): chunks and token blobs are listed with their versions, <em>then</em> manifests are read, then what is unreferenced and old goes.</summary>
/// <remarks>
/// It may run beside writers. One that finds a chunk present touches it, which gives it another version, and the delete names the one that was listed; one that writes a chunk
/// has the grace to name it in a manifest. It keeps no state: a sweep that was cut off is run again, and finds less to do.
/// </remarks>
/// <param name="store">The store.</param>
/// <param name="time">Says what is old, and paces the deletes.</param>
public sealed class StoreSweep(IObjectStore store, TimeProvider time)
{
    private readonly ManifestStore _manifests = new(store);

    /// <summary>Sweeps what belongs to a tenant.</summary>
    /// <param name="tenant">The tenant; or <see cref="ChunkIdentity.SharedTenant"/>, for the chunks that the contexts of any tenant may name.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told now and then.</param>
    /// <param name="cancellationToken">Stops after the delete that runs.</param>
    /// <returns>What was found and done.</returns>
    /// <exception cref="StorageException"><c>StoreUnavailable</c>, <c>StoreReadOnly</c>: see the message; what has gone stays gone.</exception>
    public async Task<StoreSweepReport> RunAsync(string tenant, StoreSweepOptions options, Action<StoreSweepProgress> progress, CancellationToken cancellationToken)
    {
        ObjectKey.CheckName("tenant", tenant);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(progress);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MostDeletesPerSecond, 1);

        // In this order: a chunk that is named after it was listed is read of in its manifest, or has been touched.
        var chunks = await store.ListAsync(ChunkIdentity.PrefixOf(tenant), cancellationToken).ToListAsync(cancellationToken).ConfigureAwait(false);
        var blobs = await store.ListAsync(TokenBlobStore.PrefixOf(tenant), cancellationToken).ToListAsync(cancellationToken).ConfigureAwait(false);
        var names = await ListManifestsAsync(tenant, chunks.Count + blobs.Count > 0, cancellationToken).ConfigureAwait(false);
        var sweep = new Sweep(tenant, options, time.GetUtcNow(), new Pace(options.MostDeletesPerSecond, time));
        var total = chunks.Count + blobs.Count + names.Count;
        foreach (var (owner, model, name, _) in names)
        {
            await TakeManifestAsync(sweep, owner, model, name, cancellationToken).ConfigureAwait(false);
            progress(new StoreSweepProgress(++sweep.Done, total));
        }

        foreach (var chunk in chunks)
        {
            await TakeAsync(sweep, sweep.Chunks, chunk, ChunkIdentity.HashOf(chunk.Key) is { } hash && sweep.Named.Contains(hash), cancellationToken).ConfigureAwait(false);
            progress(new StoreSweepProgress(++sweep.Done, total));
        }

        foreach (var blob in blobs)
        {
            await TakeAsync(sweep, sweep.TokenBlobs, blob, sweep.NamedTokenBlobs.Contains(blob.Key), cancellationToken).ConfigureAwait(false);
            progress(new StoreSweepProgress(++sweep.Done, total));
        }

        return new StoreSweepReport(
            sweep.Contexts, sweep.Expired, sweep.Tombstones, chunks.Count, chunks.Sum(static chunk => chunk.Length),
            sweep.Chunks.Unreferenced, sweep.Chunks.UnreferencedBytes, sweep.Chunks.Deleted, sweep.Chunks.DeletedBytes, sweep.Unreadable)
        {
            TokenBlobs = blobs.Count,
            TokenBlobBytes = blobs.Sum(static blob => blob.Length),
            UnreferencedTokenBlobs = sweep.TokenBlobs.Unreferenced,
            UnreferencedTokenBlobBytes = sweep.TokenBlobs.UnreferencedBytes,
            DeletedTokenBlobs = sweep.TokenBlobs.Deleted,
            DeletedTokenBlobBytes = sweep.TokenBlobs.DeletedBytes,
        };
    }

    // Where nothing lies under the shared name, no tenant's manifests need be read for it.
    private async Task<List<ListedManifest>> ListManifestsAsync(string tenant, bool hasObjects, CancellationToken cancellationToken)
    {
        if (tenant == ChunkIdentity.SharedTenant)
        {
            return hasObjects ? await _manifests.ListAllAsync(cancellationToken).ToListAsync(cancellationToken).ConfigureAwait(false) : [];
        }

        return await _manifests.ListAsync(tenant, null, cancellationToken).ToListAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task TakeManifestAsync(Sweep sweep, string owner, string model, string name, CancellationToken cancellationToken)
    {
        (StoredManifest Stored, TokenBlobName? TokenBlob)? found;
        try
        {
            // A damaged blob of token ids is no reason to keep what no manifest names: which chunks and which blob a context needs, its manifest says.
            found = await _manifests.FindWithoutIdsAsync(owner, model, name, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e) when (e.Code == StorageErrorCodes.ManifestInvalid)
        {
            sweep.Unreadable.Add(ManifestStore.KeyOf(owner, model, name));
            return;
        }

        if (found is not var (stored, tokenBlob))
        {
            return;
        }

        if (sweep.Tenant == ChunkIdentity.SharedTenant)
        {
            // What becomes of the context itself is its own tenant's sweep's business. In an earlier build a tenant could have this name: no sweep is that one's own, and what it names stays.
            if (stored.Manifest is { State: not ManifestStates.Deleted, ChunkTenant: ChunkIdentity.SharedTenant })
            {
                sweep.Contexts++;
                sweep.Name(stored.Manifest);
                sweep.NameTokenBlob(owner == sweep.Tenant ? tokenBlob : null);
            }
        }
        else if (stored.Manifest.State == ManifestStates.Deleted)
        {
            await TakeTombstoneAsync(sweep, stored, cancellationToken).ConfigureAwait(false);
        }
        else if (stored.Manifest.Expires <= sweep.Now && await ExpireAsync(sweep, stored, cancellationToken).ConfigureAwait(false))
        {
            sweep.Expired++;
        }
        else
        {
            sweep.Contexts++;
            sweep.Name(stored.Manifest);
            sweep.NameTokenBlob(tokenBlob);
        }
    }

    private async Task<bool> ExpireAsync(Sweep sweep, StoredManifest stored, CancellationToken cancellationToken)
    {
        if (sweep.Options.DryRun)
        {
            return true;
        }

        try
        {
            await _manifests.CommitAsync(ManifestStore.Tombstone(stored.Manifest, sweep.Now), stored, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is ObjectConflictException or StorageException { Code: StorageErrorCodes.ManifestInvalid })
        {
            return false; // used or made anew just now, or its next version cannot be read: its chunks are named, and the next sweep sees
        }
    }

    private async Task TakeTombstoneAsync(Sweep sweep, StoredManifest stored, CancellationToken cancellationToken)
    {
        if (sweep.IsOld(stored.Manifest.Updated)
            && await DeleteAsync(sweep, ManifestStore.KeyOf(sweep.Tenant, stored.Manifest.Model, stored.Manifest.Name), stored.Version, cancellationToken).ConfigureAwait(false))
        {
            sweep.Tombstones++;
        }
    }

    private async Task TakeAsync(Sweep sweep, Tally tally, ObjectInfo found, bool isNamed, CancellationToken cancellationToken)
    {
        if (!isNamed)
        {
            tally.Unreferenced++;
            tally.UnreferencedBytes += found.Length;
            if (sweep.Unreadable.Count == 0 && sweep.IsOld(found.LastModified) && await DeleteAsync(sweep, found.Key, found.Version, cancellationToken).ConfigureAwait(false))
            {
                tally.Deleted++;
                tally.DeletedBytes += found.Length;
            }
        }
    }

    private async Task<bool> DeleteAsync(Sweep sweep, string key, ObjectVersion version, CancellationToken cancellationToken)
    {
        if (sweep.Options.DryRun)
        {
            return true;
        }

        await sweep.Pace.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await store.DeleteAsync(key, Precondition.Unchanged(version), cancellationToken).ConfigureAwait(false);
        }
        catch (ObjectConflictException)
        {
            return false; // touched or written since it was listed
        }
    }

    private sealed record Sweep(string Tenant, StoreSweepOptions Options, DateTimeOffset Now, Pace Pace)
    {
        public HashSet<ChunkHash> Named { get; } = [];

        public List<string> Unreadable { get; } = [];

        public int Done { get; set; }

        public int Contexts { get; set; }

        public int Expired { get; set; }

        public int Tombstones { get; set; }

        public Tally Chunks { get; } = new();

        public HashSet<string> NamedTokenBlobs { get; } = new(StringComparer.Ordinal); // by key

        public Tally TokenBlobs { get; } = new();

        public void NameTokenBlob(TokenBlobName? blob)
        {
            if (blob is not null)
            {
                NamedTokenBlobs.Add(TokenBlobStore.KeyOf(Tenant, blob.Hash));
            }
        }

        public bool IsOld(DateTimeOffset when) => when <= Now - Options.Grace;

        public void Name(ContextManifest manifest)
        {
            foreach (var chunk in manifest.Chunks.Values.SelectMany(static chunks => chunks))
            {
                Named.Add(ChunkHash.Parse(chunk.Hash));
            }
        }
    }

    // What nobody names of one kind of object, and what of it has gone.
    private sealed class Tally
    {
        public int Unreferenced { get; set; }

        public long UnreferencedBytes { get; set; }

        public int Deleted { get; set; }

        public long DeletedBytes { get; set; }
    }

    // Lets a number of calls through each second.
    private sealed class Pace(int perSecond, TimeProvider time)
    {
        private readonly long _start = time.GetTimestamp();
        private int _calls;

        public async Task WaitAsync(CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var early = TimeSpan.FromSeconds((double)_calls++ / perSecond) - time.GetElapsedTime(_start);
            if (early > TimeSpan.Zero)
            {
                await Task.Delay(early, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
