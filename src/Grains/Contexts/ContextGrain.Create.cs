using System.Runtime.CompilerServices;
using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Errors;
using Granary.Grains.Models;
using Granary.Grains.Transitions;
using Granary.Storage.Chunks;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;

namespace Granary.Grains.Contexts;

internal sealed partial class ContextGrain
{
    private const int MostCommitAttempts = 4;

    /// <inheritdoc/>
    public IAsyncEnumerable<ContextProgress> CreateAsync(CreateContextRequest request, CancellationToken cancellationToken) =>
        ErrorEdge.GuardAsync(CreateStreamAsync(request, cancellationToken), cancellationToken);

    private async IAsyncEnumerable<ContextProgress> CreateStreamAsync(CreateContextRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        _ = Id; // refuses a name that leaves its prefix
        var (ids, truncated) = TokenLimits.FitContext(await ReadAsync("context", request.Input), request, Model);
        TokenLimits.CheckBudget(Key, ids.Length, Model, registry.Budget);
        if (request.TimeToLive <= TimeSpan.Zero)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"The time to live is {request.TimeToLive}.", "Give a positive duration.");
        }

        // An acknowledgement is not given on what was read a second ago.
        var existing = await LoadAsync(cancellationToken, fresh: true);

        // From here to the start of the transition there is no await: two creations cannot both start.
        if (_create is not { IsRunning: true })
        {
            if (existing is not null)
            {
                RefuseOtherIds(existing.Manifest, ids);
                if (existing.Manifest.State == ManifestStates.Stored && existing.Manifest.Chunks.ContainsKey(Model.Numerics))
                {
                    var description = ManifestDescription.Of(existing.Manifest, _lease is { IsResident: true });
                    yield return new ContextProgress(ContextStage.Stored, ids.Length, ids.Length, new ContextCreated(description, true, 0, ids.Length, 0, 0, Model.Numerics, Model.IsExact));
                    yield break;
                }
            }

            _creating = ids;
            _create = SharedTransition<ContextProgress, ContextCreated>.Start(
                (transition, stopping) => CreateOnceAsync(transition, request, ids, truncated, stopping), _stopping.Token);
        }
        else if (!_creating.AsSpan().SequenceEqual(ids))
        {
            throw OtherIds();
        }

        await foreach (var progress in _create.WatchAsync(cancellationToken))
        {
            yield return progress;
        }
    }

    private async Task<ContextCreated> CreateOnceAsync(
        SharedTransition<ContextProgress, ContextCreated> transition, CreateContextRequest request, int[] ids, int truncated, CancellationToken stopping)
    {
        try
        {
            var accepted = await AcceptAsync(request, ids, truncated, stopping);
            transition.OutliveCallers();
            sweeps.Ensure(Id.Tenant); // what is stored has to be collected one day
            sweeps.Ensure(accepted.Manifest.ChunkTenant);
            var chain = await ChainOfAsync(accepted.Manifest, stopping);
            transition.Report(new ContextProgress(ContextStage.Accepted, 0, ids.Length));

            using var reservation = await registry.Budget.AdmitAsync(Model.Loaded.Layout.BytesOf(ids.Length), request.Batch, stopping);
            var lease = registry.Open(activation, reclaimFirst: request.Batch);
            using var filling = lease.BeginFill();
            FillOutcome outcome;
            try
            {
                outcome = await filler.FillAsync(
                    lease,
                    new FillRequest { Model = Model, Worker = Worker, Chain = chain, Reservation = reservation, Persist = true, MustKnow = true, Batch = request.Batch },
                    filled => transition.Report(new ContextProgress(ContextStage.Prefilling, filled, ids.Length)),
                    stopping);
            }
            catch
            {
                lease.Close();
                throw;
            }

            Adopt(lease, chain, accepted.Manifest);
            transition.Report(new ContextProgress(ContextStage.Resident, ids.Length, ids.Length));

            // Invariant 2: acknowledged means durable. Every chunk first, then the manifest.
            var writes = await Task.WhenAll(outcome.Writes);
            var stored = await CommitStoredAsync(accepted, ids, ManifestChunks(chain, writes), stopping);
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
        catch (OperationCanceledException) when (_stored is { Manifest.State: ManifestStates.Deleted })
        {
            throw new GranaryException(ErrorCodes.ContextNotFound, $"'{Key}' was deleted while it was created.", "Create it again.");
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            Log.CreateFailed(logger, Id, e.Message);
            throw;
        }
        finally
        {
            if (ReferenceEquals(_creating, ids))
            {
                _creating = null;
            }
        }
    }

    // Commits the ids, so that the context exists whatever crashes; a creation that was cut off is taken up where it stands.
    private async Task<StoredManifest> AcceptAsync(CreateContextRequest request, int[] ids, int truncated, CancellationToken stopping)
    {
        var id = Id;
        if (Alive(_stored) is { } existing)
        {
            RefuseOtherIds(existing.Manifest, ids);
            return existing;
        }

        var chunkTenant = sharing.Value.ChunkTenantOf(id.Tenant);
        var chain = await GetChainAsync(ids, chunkTenant, stopping);
        var now = time.GetUtcNow();
        var manifest = new ContextManifest
        {
            Tenant = id.Tenant,
            Model = id.Model,
            Name = id.Name,
            Incarnation = Guid.NewGuid().ToString("N"),
            Version = 1,
            State = ManifestStates.Accepted,
            Fingerprint = Model.Spec.Fingerprint,
            Shared = chunkTenant == ChunkIdentity.SharedTenant,
            Chunks = new Dictionary<string, ManifestChunk[]> { [Model.Numerics] = ManifestChunks(chain) },
            TokenIds = ids,
            TokenizerDigest = Model.Spec.TokenizerDigest,
            Created = now,
            Updated = now,
            Expires = request.TimeToLive is { } life ? now + life : null,
            Labels = new SortedDictionary<string, string>(request.Labels, StringComparer.Ordinal),
            TruncatedTokens = truncated,
        };
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await CommitAsync(manifest, _stored, stopping);
            }
            catch (ObjectConflictException) when (attempt < MostCommitAttempts)
            {
                // Another process was quicker. With the same ids it made the same context; where there is none, the tombstone that was read has been collected or replaced, and the name is free.
                if (await LoadAsync(stopping) is { } theirs)
                {
                    RefuseOtherIds(theirs.Manifest, ids);
                    return theirs;
                }
            }
        }
    }

    // Another process may create the same context on the same store: what it committed is merged with, never overwritten.
    private async Task<StoredManifest> CommitStoredAsync(StoredManifest previous, int[] ids, ManifestChunk[] own, CancellationToken stopping)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await CommitAsync(WithChunks(previous.Manifest, own), previous, stopping);
            }
            catch (ObjectConflictException) when (attempt < MostCommitAttempts)
            {
                // Deleted meanwhile: not found. Deleted and made anew with other ids: a conflict.
                var shared = previous.Manifest.Shared;
                previous = await RequireAsync(stopping);
                RefuseOtherIds(previous.Manifest, ids);
                if (previous.Manifest.Shared != shared)
                {
                    throw new GranaryException(ErrorCodes.ContextConflict, $"'{Key}' was deleted and made anew, with other chunks, while it was created.", "Create it again.");
                }

                if (previous.Manifest.State == ManifestStates.Stored && previous.Manifest.Chunks.ContainsKey(Model.Numerics))
                {
                    return previous;
                }
            }
        }
    }

    private void RefuseOtherIds(ContextManifest manifest, int[] ids)
    {
        if (!Model.IsOf(manifest, ids))
        {
            throw OtherIds();
        }
    }

    private GranaryException OtherIds() => ServedModel.OtherIds(Key);

    private static ManifestChunk[] ManifestChunks(ChunkIdentity[] chain, params ReadOnlySpan<PageWrite> writes)
    {
        var checksums = new Dictionary<string, string>(writes.Length);
        foreach (var write in writes)
        {
            checksums[write.Hash] = write.Checksum;
        }

        return [.. chain.Select(chunk => new ManifestChunk(chunk.Hash.ToString(), chunk.Count, ChunkStore.StoredBytes(chunk), checksums.GetValueOrDefault(chunk.Hash.ToString())))];
    }
}
