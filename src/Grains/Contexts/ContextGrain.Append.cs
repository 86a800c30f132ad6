using System.Runtime.CompilerServices;
using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Errors;
using Granary.Grains.Transitions;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;

namespace Granary.Grains.Contexts;

internal sealed partial class ContextGrain
{
    // One new version at a time, in order of arrival.
    private readonly SemaphoreSlim _growth = new(1);

    /// <inheritdoc/>
    public IAsyncEnumerable<ContextProgress> AppendAsync(AppendRequest request, CancellationToken cancellationToken) =>
        ErrorEdge.GuardAsync(AppendStreamAsync(request, cancellationToken), cancellationToken);

    private async IAsyncEnumerable<ContextProgress> AppendStreamAsync(AppendRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var added = await ReadAsync("addition", request.Input);
        await foreach (var progress in Grow(added, request.IfVersion, request.Batch).WatchAsync(cancellationToken))
        {
            yield return progress;
        }
    }

    // Its only caller leaving cancels it, until it commits.
    private SharedTransition<ContextProgress, ContextCreated> Grow(int[] added, long? ifVersion, bool batch) =>
        SharedTransition<ContextProgress, ContextCreated>.Start((transition, stopping) => GrowOnceAsync(transition, added, ifVersion, batch, stopping), _stopping.Token);

    private async Task<ContextCreated> GrowOnceAsync(
        SharedTransition<ContextProgress, ContextCreated> transition, int[] added, long? ifVersion, bool batch, CancellationToken stopping)
    {
        await _growth.WaitAsync(stopping);
        try
        {
            if (_create is { IsRunning: true } creation)
            {
                await creation.JoinAsync(stopping);
            }

            var current = await LoadAsync(stopping, fresh: true) ?? throw NotFound();
            RefuseOtherVersion(current.Manifest, ifVersion);
            int[] ids = [.. current.Manifest.TokenIds, .. added];
            TokenLimits.CheckWindow(ids.Length, Model);
            TokenLimits.CheckBudget(Key, ids.Length, Model, registry.Budget);
            transition.Report(new ContextProgress(ContextStage.Accepted, 0, ids.Length));
            return await StoreVersionAsync(transition, current, ids, batch, stopping);
        }
        finally
        {
            _growth.Release();
        }
    }

    // Full pages are those of the version before, by their hashes; a partial last page is computed anew from its start (DESIGN §3).
    private async Task<ContextCreated> StoreVersionAsync(
        SharedTransition<ContextProgress, ContextCreated> transition, StoredManifest current, int[] ids, bool batch, CancellationToken stopping)
    {
        var chain = await GetChainAsync(ids, current.Manifest.ChunkTenant, stopping);
        using var reservation = await registry.Budget.AdmitAsync(Model.Loaded.Layout.BytesOf(ids.Length), batch, stopping);
        var lease = registry.Open(activation, reclaimFirst: batch);
        using var filling = lease.BeginFill();
        try
        {
            var outcome = await filler.FillAsync(
                lease,
                new FillRequest
                {
                    Model = Model,
                    Worker = Worker,
                    Chain = chain,
                    Checksums = current.Manifest.Chunks.GetValueOrDefault(Model.Numerics)?.ToDictionary(static chunk => chunk.Hash, static chunk => chunk.Checksum) ?? [],
                    Reservation = reservation,
                    Persist = true,
                    MustKnow = true,
                    Batch = batch,
                },
                filled => transition.Report(new ContextProgress(ContextStage.Prefilling, filled, ids.Length)),
                stopping);

            // Invariant 2: every chunk first, then the manifest.
            var writes = await Task.WhenAll(outcome.Writes).WaitAsync(stopping);
            transition.OutliveCallers();
            var next = current.Manifest with
            {
                Version = current.Manifest.Version + 1,
                State = ManifestStates.Stored,
                TokenIds = ids,
                Chunks = new Dictionary<string, ManifestChunk[]> { [Model.Numerics] = ManifestChunks(chain, writes) }, // other numerics have the old ids only
                Updated = time.GetUtcNow(),
                Operations = [.. current.Manifest.Operations, new ManifestOperation(Guid.NewGuid().ToString("N"), current.Manifest.Version + 1)],
            };
            var stored = await CommitVersionAsync(next, current, stopping);
            Adopt(lease, chain, stored.Manifest);
            var created = new ContextCreated(
                ManifestDescription.Of(stored.Manifest, lease.IsResident),
                Existed: false,
                outcome.RecomputedTokens,
                outcome.RestoredTokens,
                writes.Sum(static write => write.WrittenBytes),
                outcome.PrefillTime.TotalSeconds,
                Model.Numerics,
                Model.IsExact);
            transition.Report(new ContextProgress(ContextStage.Stored, ids.Length, ids.Length, created));
            return created;
        }
        catch
        {
            lease.Close();
            throw;
        }
    }

    private async Task<StoredManifest> CommitVersionAsync(ContextManifest next, StoredManifest current, CancellationToken stopping)
    {
        var previous = current;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await CommitAsync(next, previous, stopping);
            }
            catch (ObjectConflictException)
            {
                // Another process was quicker, or the context was deleted; or a process has only named more chunks, of the version that grows or, where
                // the answer to this commit was lost, of the one that it made: then its operation is there.
                previous = await RequireAsync(stopping);
                if (previous.Manifest.Incarnation == next.Incarnation && previous.Manifest.Operations.Contains(next.Operations[^1]))
                {
                    return previous with { Manifest = previous.Manifest.Version == next.Version ? previous.Manifest : next };
                }

                if (attempt == MostCommitAttempts || !IsCurrent(current.Manifest))
                {
                    throw OtherVersion(previous.Manifest, current.Manifest.Version);
                }
            }
        }
    }

    private void RefuseOtherVersion(ContextManifest manifest, long? wanted)
    {
        if (wanted is { } version && version != manifest.Version)
        {
            throw OtherVersion(manifest, version);
        }
    }

    private GranaryException OtherVersion(ContextManifest manifest, long wanted) => new(
        ErrorCodes.ContextConflict, $"'{Key}' is at version {manifest.Version}, not {wanted}.", "Read the context again and decide anew.");
}
