using System.Runtime.CompilerServices;
using Granary.Contexts;
using Granary.Errors;
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
        _work.ServeAsync(CreateStreamAsync(request, cancellationToken));

    private async IAsyncEnumerable<ContextProgress> CreateStreamAsync(CreateContextRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var id = Id; // refuses a name that leaves its prefix
        var (ids, truncated) = TokenLimits.FitContext(await ReadAsync("context", request.Input), request, Model);
        var creation = new Creation
        {
            Ids = ids,
            Truncated = truncated,
            TimeToLive = request.TimeToLive,
            RefreshOnHit = request.RefreshOnHit,
            Labels = request.Labels,
            Batch = request.Batch,
            OperationId = OperationIds.Check(request.OperationId),
            ChunkTenant = sharing.Value.ChunkTenantOf(id.Tenant),
        };
        await foreach (var progress in CreateOrJoinAsync(creation, cancellationToken))
        {
            yield return progress;
        }
    }

    private async IAsyncEnumerable<ContextProgress> CreateOrJoinAsync(Creation creation, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        registry.Budgets.RequireFits(Key, creation.ChunkTenant, Model.Loaded.Layout.BytesOf(creation.Ids.Length));
        Lifetimes.CheckNew(creation.TimeToLive, creation.RefreshOnHit);
        ContextLabels.Check(creation.Labels);

        // An acknowledgement is not given on what was read a second ago.
        var existing = await LoadAsync(cancellationToken, fresh: true);

        // From here to the start of the transition there is no await: two creations cannot both start.
        if (_create is not { IsRunning: true })
        {
            RefuseDeletedSince(creation.OperationId);
            if (existing is not null)
            {
                // What this very request made is its own, whatever it has become since.
                var made = existing.Manifest.FindOperation(creation.OperationId);
                if (made is null)
                {
                    RefuseOtherIds(existing.Manifest, creation.Ids);
                }
                else
                {
                    RequireAdded(existing.Manifest, made, 0, creation.Ids, isAll: true);
                }

                if (existing.Manifest.State == ManifestStates.Stored && (made is not null || existing.Manifest.Chunks.ContainsKey(Model.Numerics)))
                {
                    NoteHit();
                    var found = Existing(existing.Manifest, made?.Version ?? existing.Manifest.Version);
                    yield return new ContextProgress(ContextStage.Stored, found.Context.Tokens, found.Context.Tokens, found);
                    yield break;
                }
            }

            _creating = creation.Ids;
            _create = SharedTransition<ContextProgress, ContextCreated>.Start((transition, stopping) => CreateOnceAsync(transition, creation, stopping), _stopping.Token);
        }
        else if (!_creating.AsSpan().SequenceEqual(creation.Ids))
        {
            throw OtherIds();
        }

        await foreach (var progress in _create.WatchAsync(cancellationToken))
        {
            yield return progress;
        }
    }

    private async Task<ContextCreated> CreateOnceAsync(
        SharedTransition<ContextProgress, ContextCreated> transition, Creation creation, CancellationToken stopping)
    {
        var ids = creation.Ids;
        using var work = _work.Begin();
        try
        {
            var planned = await GetChainAsync(ids, creation.ChunkTenant, stopping);
            var inherited = creation.Parent is { } parent ? await FindChunksOfParentAsync(parent, planned, stopping) : null;

            // Of chunks that are there already it takes too much room, for as long as it runs; a fork that is on those of its parent takes none.
            using var room = await storage.TakeAsync(
                Key,
                creation.ChunkTenant,
                () => ValueTask.FromResult(inherited is null ? planned.Sum(ChunkStore.StoredBytes) : 0),
                stopping);
            var accepted = await AcceptAsync(creation, planned, stopping);
            transition.OutliveCallers();
            var chain = await ChainOfAsync(accepted.Manifest, stopping);
            transition.Report(new ContextProgress(ContextStage.Accepted, 0, ids.Length));
            if (inherited is not null)
            {
                var copy = await CommitStoredAsync(accepted, ids, inherited, stopping);
                var forked = Existing(copy.Manifest, accepted.Manifest.Version) with { Existed = false };
                transition.Report(new ContextProgress(ContextStage.Stored, ids.Length, ids.Length, forked));
                return forked;
            }

            using var admitted = await PageAdmission.AdmitAsync(registry, Model.Loaded.Layout, chain, tailBytes: 0, creation.Batch, stopping);
            var lease = registry.Open(activation, accepted.Manifest.ChunkTenant, reclaimFirst: creation.Batch);
            using var filling = lease.BeginFill();
            FillOutcome outcome;
            try
            {
                outcome = await filler.FillAsync(
                    lease,
                    new FillRequest { Model = Model, Worker = Worker, Chain = chain, Reservation = admitted.Bytes, Persist = true, MustKnow = true, Room = room, Batch = creation.Batch },
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
                Model.IsExact,
                stored.Manifest.Version);
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
    private async Task<StoredManifest> AcceptAsync(Creation creation, ChunkIdentity[] chain, CancellationToken stopping)
    {
        var ids = creation.Ids;
        if (Alive(_stored) is { } existing)
        {
            RefuseOtherIds(existing.Manifest, ids);
            return existing;
        }

        var first = FirstVersion();
        var manifest = first with
        {
            Shared = creation.ChunkTenant == ChunkIdentity.SharedTenant,
            Chunks = new Dictionary<string, ManifestChunk[]> { [Model.Numerics] = ManifestChunks(chain) },
            TokenIds = ids,
            TokenizerDigest = creation.Parent is { } parent ? parent.TokenizerDigest : Model.Spec.TokenizerDigest,
            Expires = creation.TimeToLive is { } life ? Lifetimes.After(first.Created, life) : null,
            TimeToLive = creation.RefreshOnHit ? creation.TimeToLive : null,
            Labels = creation.Labels,
            TruncatedTokens = creation.Truncated,
            Parent = creation.Parent?.Name,
        };
        for (var attempt = 1; ; attempt++)
        {
            RefuseDeletedSince(creation.OperationId);
            var operations = OperationIds.Inherit(_stored?.Manifest).Append(new ManifestOperation(creation.OperationId, manifest.Version, 0, ids.Length, time.GetUtcNow()));
            try
            {
                return await CommitAsync(manifest with { Operations = [.. operations] }, _stored, stopping);
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
        using var turn = await _commitTurn.TakeAsync(stopping);
        if (IsCurrent(previous.Manifest) && _stored is { } newest)
        {
            previous = newest; // with the labels that it was given meanwhile
        }

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

    // Sent once more by a caller who had no answer, after somebody has deleted what it made: it is not to come back (DESIGN §2.8).
    private void RefuseDeletedSince(string operationId)
    {
        if (Alive(_stored) is null && _stored?.Manifest.FindOperation(operationId) is not null)
        {
            throw new GranaryException(ErrorCodes.ContextNotFound, $"'{Key}' was created by this very request, and deleted since.", "Create it again.");
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
