using System.Collections.Concurrent;
using Granary.Storage.Chunks;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Storage.Sealing;
using Granary.Storage.Specs;

namespace Granary.Storage.Maintenance;

/// <summary>Reads all that a store holds of a tenant and finds what cannot be trusted, ahead of its use (invariant 1).</summary>
/// <remarks>
/// Every chunk is checked by its own bytes (<see cref="ChunkInspector"/>), then every manifest, and that each chunk it names is the right link of its chain and is there.
/// It may run beside silos: what changes meanwhile is looked at again.
/// </remarks>
/// <param name="store">The store.</param>
/// <param name="time">Gives repaired manifests their time.</param>
public sealed class StoreCheck(IObjectStore store, TimeProvider time)
{
    private const int ObjectsAtATime = 4;

    private readonly ChunkInspector _inspector = new(store);
    private readonly ManifestStore _manifests = new(store);
    private readonly TokenBlobStore _blobs = new(store);
    private readonly TenantStore _tenants = new(store);
    private readonly ModelSpecStore _specs = new(store);

    /// <summary>Checks.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="repair">
    /// Whether a bad chunk is deleted, if it is still the one that was read, and a manifest that names a bad or missing one forgets that numerics id's chunks: token ids
    /// are the truth, and the next use computes KV anew (invariant 3). A data set's bad part or state is deleted, too: its next precompute makes it anew. Manifests, token blobs, tenants and models are never deleted.
    /// </param>
    /// <param name="progress">Told after each object; called by one thread at a time.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>What was found.</returns>
    /// <exception cref="StorageException"><c>StoreUnavailable</c>: the store does not answer; see its message.</exception>
    public async Task<StoreCheckReport> RunAsync(string tenant, bool repair, Action<StoreCheckProgress> progress, CancellationToken cancellationToken)
    {
        ObjectKey.CheckName("tenant", tenant);
        ArgumentNullException.ThrowIfNull(progress);
        var chunks = await store.ListAsync(ChunkIdentity.PrefixOf(tenant), cancellationToken).ToListAsync(cancellationToken).ConfigureAwait(false);
        var names = await _manifests.ListAsync(tenant, null, cancellationToken).ToListAsync(cancellationToken).ConfigureAwait(false);
        var blobs = await store.ListAsync(TokenBlobStore.PrefixOf(tenant), cancellationToken).ToListAsync(cancellationToken).ConfigureAwait(false);
        var documents = await ListDocumentsAsync(tenant, cancellationToken).ToListAsync(cancellationToken).ConfigureAwait(false);
        var run = new Run(tenant, repair, new Counter(progress, chunks.Count + names.Count + blobs.Count + documents.Count));
        await CheckModelsAsync(run, cancellationToken).ConfigureAwait(false);
        await FindSaltAsync(run, tenant, cancellationToken).ConfigureAwait(false);
        await CheckChunksAsync(run, chunks, cancellationToken).ConfigureAwait(false);
        await CheckTokenBlobsAsync(run, blobs, cancellationToken).ConfigureAwait(false);
        await CheckDocumentsAsync(run, documents, cancellationToken).ConfigureAwait(false);
        await CheckManifestsAsync(run, names, cancellationToken).ConfigureAwait(false);
        return new StoreCheckReport(run.Contexts, chunks.Count, chunks.Sum(static chunk => chunk.Length), [.. run.Faults.OrderBy(static fault => fault.Key, StringComparer.Ordinal)]);
    }

    private async Task CheckModelsAsync(Run run, CancellationToken cancellationToken)
    {
        await foreach (var id in _specs.ListIdsAsync(cancellationToken).ConfigureAwait(false))
        {
            try
            {
                await _specs.FindAsync(id, cancellationToken).ConfigureAwait(false);
            }
            catch (StorageException e) when (e.Code is StorageErrorCodes.ModelSpecConflict or StorageErrorCodes.RequestTooLarge)
            {
                run.Note(new StoreFault($"models/{id}.json", "model", e.Message, null, Repaired: false));
            }
        }
    }

    // Of the tenant, and of the shared chunks where one of its contexts has such. Null where there is none, or where it cannot be trusted: noted.
    private async Task<byte[]?> FindSaltAsync(Run run, string chunkTenant, CancellationToken cancellationToken)
    {
        if (run.Salts.TryGetValue(chunkTenant, out var known))
        {
            return known;
        }

        byte[]? salt = null;
        try
        {
            salt = await _tenants.FindSaltAsync(chunkTenant, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e) when (e.Code is StorageErrorCodes.ManifestInvalid or StorageErrorCodes.RequestTooLarge)
        {
            run.Note(new StoreFault($"tenants/{chunkTenant}.json", "tenant", e.Message, null, Repaired: false));
        }

        return run.Salts[chunkTenant] = salt;
    }

    private Task CheckChunksAsync(Run run, List<ObjectInfo> chunks, CancellationToken cancellationToken) => CheckEachAsync(
        run,
        chunks,
        async (info, stopping) => await NoteAsync(run, await _inspector.InspectAsync(info, stopping).ConfigureAwait(false), null, stopping).ConfigureAwait(false),
        cancellationToken);

    private Task CheckTokenBlobsAsync(Run run, List<ObjectInfo> blobs, CancellationToken cancellationToken) => CheckEachAsync(
        run,
        blobs,
        async (info, stopping) =>
        {
            if (await _blobs.FindFaultAsync(run.Tenant, info, stopping).ConfigureAwait(false) is { } fault)
            {
                run.Note(new StoreFault(info.Key, "tokens", fault, null, Repaired: false));
            }
        },
        cancellationToken);

    private static Task CheckEachAsync(Run run, List<ObjectInfo> objects, Func<ObjectInfo, CancellationToken, Task> check, CancellationToken cancellationToken) => Parallel.ForEachAsync(
        objects,
        new ParallelOptions { MaxDegreeOfParallelism = ObjectsAtATime, CancellationToken = cancellationToken },
        async (info, stopping) =>
        {
            await check(info, stopping).ConfigureAwait(false);
            run.Counter.Next();
        });

    // States of grains, whose keys start with their tenant, and parts of data sets.
    private async IAsyncEnumerable<(string Kind, ObjectInfo Info)> ListDocumentsAsync(string tenant, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var state in store.ListAsync("grains/", cancellationToken).ConfigureAwait(false))
        {
            if (state.Key.Split('/') is [_, _, _, var owner, _, ..] && owner == tenant)
            {
                yield return ("state", state);
            }
        }

        await foreach (var part in store.ListAsync($"datasets/{tenant}/", cancellationToken).ConfigureAwait(false))
        {
            yield return ("dataset", part);
        }
    }

    private async Task CheckDocumentsAsync(Run run, List<(string Kind, ObjectInfo Info)> documents, CancellationToken cancellationToken)
    {
        foreach (var (kind, info) in documents)
        {
            if (await FindFaultAsync(info, cancellationToken).ConfigureAwait(false) is var (fault, bad))
            {
                var repaired = run.Repair && await DeleteAsync(bad, cancellationToken).ConfigureAwait(false);
                run.Note(new StoreFault(info.Key, kind, fault, null, repaired));
            }

            run.Counter.Next();
        }
    }

    // What is wrong with a document, and the version that it is wrong with; null where nothing is, or it has gone.
    private async Task<(string Fault, ObjectInfo Bad)?> FindFaultAsync(ObjectInfo document, CancellationToken cancellationToken)
    {
        try
        {
            return await store.FindAsync(document.Key, cancellationToken).ConfigureAwait(false) is { } found && !SealedDocument.TryOpen(document.Key, found.Content, out _, out var fault)
                ? (fault, document with { Version = found.Version })
                : null;
        }
        catch (StorageException e) when (e.Code == StorageErrorCodes.RequestTooLarge)
        {
            return ("it is longer than any document", document); // as it was listed: what came since is not deleted
        }
    }

    private async Task CheckManifestsAsync(Run run, List<ListedManifest> names, CancellationToken cancellationToken)
    {
        foreach (var (_, model, name, _) in names)
        {
            try
            {
                if (await _manifests.FindAsync(run.Tenant, model, name, cancellationToken).ConfigureAwait(false) is { } stored && stored.Manifest.State != ManifestStates.Deleted)
                {
                    run.Contexts++;
                    await CheckManifestAsync(run, stored, cancellationToken).ConfigureAwait(false);
                }
            }
            catch (StorageException e) when (e.Code == StorageErrorCodes.ManifestInvalid)
            {
                run.Note(new StoreFault(ManifestStore.KeyOf(run.Tenant, model, name), "manifest", e.Message, $"{model}/{name}", Repaired: false));
            }

            run.Counter.Next();
        }
    }

    private async Task CheckManifestAsync(Run run, StoredManifest stored, CancellationToken cancellationToken)
    {
        var manifest = stored.Manifest;
        var salt = await FindSaltAsync(run, manifest.ChunkTenant, cancellationToken).ConfigureAwait(false);
        var kept = new Dictionary<string, ManifestChunk[]>();
        var faults = new List<StoreFault>();
        foreach (var (numerics, chunks) in manifest.Chunks)
        {
            var before = faults.Count;
            await foreach (var fault in FaultsOfAsync(run, manifest, numerics, chunks, salt, cancellationToken).ConfigureAwait(false))
            {
                faults.Add(fault);
            }

            if (faults.Count == before)
            {
                kept[numerics] = chunks;
            }
        }

        if (faults.Count == 0)
        {
            return;
        }

        var repaired = run.Repair && await ForgetAsync(stored, kept, cancellationToken).ConfigureAwait(false);
        faults.ForEach(fault => run.Note(fault with { Repaired = repaired }));
    }

    private async IAsyncEnumerable<StoreFault> FaultsOfAsync(
        Run run,
        ContextManifest manifest,
        string numerics,
        ManifestChunk[] chunks,
        byte[]? salt,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var context = $"{manifest.Model}/{manifest.Name}";
        var link = salt is null ? default : ChunkHash.Root(salt, manifest.Fingerprint, numerics);
        var start = 0;
        foreach (var chunk in chunks)
        {
            var key = ChunkIdentity.KeyOf(manifest.ChunkTenant, manifest.Fingerprint, numerics, chunk.Hash);
            link = link.Next(manifest.TokenIds.AsSpan(start, chunk.Count));
            start += chunk.Count;
            if (salt is not null && link.ToString() != chunk.Hash)
            {
                yield return new StoreFault(
                    ManifestStore.KeyOf(run.Tenant, manifest.Model, manifest.Name), "manifest", $"its chunk at token {start - chunk.Count} is not that of its token ids", context, Repaired: false);
                yield break;
            }

            var expected = new GoodChunk(manifest.Fingerprint, numerics, start - chunk.Count, chunk.Count, chunk.Checksum);
            if (await FindFaultAsync(run, key, ChunkHash.Parse(chunk.Hash), expected, context, cancellationToken).ConfigureAwait(false) is { } fault)
            {
                yield return new StoreFault(key, "chunk", fault, context, Repaired: false);
            }
        }
    }

    private async Task<string?> FindFaultAsync(Run run, string key, ChunkHash hash, GoodChunk expected, string context, CancellationToken cancellationToken)
    {
        if (!run.Good.TryGetValue(hash, out var good))
        {
            // It was not there, or bad, when all were listed: it may have been written since.
            if (await store.HeadAsync(key, cancellationToken).ConfigureAwait(false) is not { } info)
            {
                return run.Reasons.GetValueOrDefault(key, ChunkFault.Absent.Name());
            }

            await NoteAsync(run, await _inspector.InspectAsync(info, cancellationToken).ConfigureAwait(false), context, cancellationToken).ConfigureAwait(false);
            if (!run.Good.TryGetValue(hash, out good))
            {
                return run.Reasons.GetValueOrDefault(key, ChunkFault.Absent.Name());
            }
        }

        if (good with { Checksum = expected.Checksum } == expected)
        {
            return (expected.Checksum ?? good.Checksum) == good.Checksum ? null : ChunkFault.Checksum.Name();
        }

        // A chunk in itself, but not the one that its reader expects.
        if (await store.HeadAsync(key, cancellationToken).ConfigureAwait(false) is { } bad)
        {
            await NoteAsync(run, new ChunkInspection(bad, null, null, ChunkFault.Header), context, cancellationToken).ConfigureAwait(false);
        }

        return ChunkFault.Header.Name();
    }

    private async Task NoteAsync(Run run, ChunkInspection found, string? context, CancellationToken cancellationToken)
    {
        if (found.Fault is not { } fault)
        {
            var identity = found.Identity!;
            run.Good[identity.Hash] = new GoodChunk(identity.Fingerprint, identity.Numerics, identity.Start, identity.Count, found.Checksum);
        }
        else if (fault != ChunkFault.Absent)
        {
            var key = found.Object.Key;
            run.Reasons[key] = fault.Name();
            run.Note(new StoreFault(key, "chunk", fault.Name(), context, run.Repair && await DeleteAsync(found.Object, cancellationToken).ConfigureAwait(false)));
        }
    }

    private async Task<bool> DeleteAsync(ObjectInfo bad, CancellationToken cancellationToken)
    {
        try
        {
            await store.DeleteAsync(bad.Key, Precondition.Unchanged(bad.Version), cancellationToken).ConfigureAwait(false);
        }
        catch (ObjectConflictException)
        {
            // Its reader has put it right meanwhile.
        }

        return true;
    }

    private async Task<bool> ForgetAsync(StoredManifest stored, Dictionary<string, ManifestChunk[]> kept, CancellationToken cancellationToken)
    {
        var manifest = stored.Manifest;
        try
        {
            await _manifests.CommitAsync(
                manifest with { Chunks = kept, State = kept.Count > 0 ? manifest.State : ManifestStates.Accepted, Updated = time.GetUtcNow() }, stored, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (ObjectConflictException)
        {
            return false; // it changes just now: the next check sees what came of it
        }
    }

    // What a chunk is, beside its hash; the checksum of what a manifest expects may be unknown.
    private sealed record GoodChunk(string Fingerprint, string Numerics, int Start, int Count, string? Checksum);

    private sealed class Counter(Action<StoreCheckProgress> progress, int total)
    {
        private readonly Lock _gate = new();
        private int _done;

        public void Next()
        {
            lock (_gate)
            {
                progress(new StoreCheckProgress(++_done, total));
            }
        }
    }

    private sealed record Run(string Tenant, bool Repair, Counter Counter)
    {
        private readonly ConcurrentDictionary<string, StoreFault> _faults = new(StringComparer.Ordinal);

        public Dictionary<string, byte[]?> Salts { get; } = new(StringComparer.Ordinal);

        public ConcurrentDictionary<ChunkHash, GoodChunk> Good { get; } = new();

        public ConcurrentDictionary<string, string> Reasons { get; } = new(StringComparer.Ordinal);

        public int Contexts { get; set; }

        public ICollection<StoreFault> Faults => _faults.Values;

        // One fault an object; who misses it is told where that is known.
        public void Note(StoreFault fault) =>
            _faults.AddOrUpdate(fault.Key, fault, (_, known) => known with { Context = known.Context ?? fault.Context, Repaired = known.Repaired || fault.Repaired });
    }
}
