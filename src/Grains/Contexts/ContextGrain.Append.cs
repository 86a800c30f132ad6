using System.Runtime.CompilerServices;
using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Transitions;
using Granary.Storage.Chunks;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;

namespace Granary.Grains.Contexts;

internal sealed partial class ContextGrain
{
    // Growth of the newest version, whichever it is, begins anew where another process was quicker: each lost attempt is a commit of that one, which is not bounded by this.
    private const int MostGrowthAttempts = 1024;
    private const int LongestGrowthPause = 40; // milliseconds; about what a small growth takes
    private const int GrowthPauseStep = 5;

    // One new version at a time, in order of arrival.
    private readonly Turn _growthTurn = new();

    /// <inheritdoc/>
    public IAsyncEnumerable<ContextProgress> AppendAsync(AppendRequest request, CancellationToken cancellationToken) =>
        _work.ServeAsync(AppendStreamAsync(request, cancellationToken));

    private async IAsyncEnumerable<ContextProgress> AppendStreamAsync(AppendRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var growth = new Growth(await ReadAsync("addition", request.Input), request.IfVersion, request.Batch, OperationIds.Check(request.OperationId));
        await foreach (var progress in Grow(growth).WatchAsync(cancellationToken))
        {
            yield return progress;
        }
    }

    // Its only caller leaving cancels it, until it commits.
    private SharedTransition<ContextProgress, ContextCreated> Grow(Growth growth) =>
        SharedTransition<ContextProgress, ContextCreated>.Start((transition, stopping) => GrowAsync(transition, growth, stopping), _stopping.Token);

    private async Task<ContextCreated> GrowAsync(SharedTransition<ContextProgress, ContextCreated> transition, Growth growth, CancellationToken stopping)
    {
        using var work = _work.Begin();
        using var turn = await _growthTurn.TakeAsync(stopping);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await GrowOnceAsync(transition, growth, stopping);
            }
            catch (GranaryException e) when (e.CurrentVersion is not null && growth.IfVersion is null && attempt < MostGrowthAttempts && Alive(_stored) is not null)
            {
                // Nobody said which version is to grow: the newer one does. Two processes that race in step would have the slower one lose each time.
                await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.NextDouble() * Math.Min(LongestGrowthPause, attempt * GrowthPauseStep)), time, stopping);
            }
        }
    }

    private async Task<ContextCreated> GrowOnceAsync(SharedTransition<ContextProgress, ContextCreated> transition, Growth growth, CancellationToken stopping)
    {
        if (_create is { IsRunning: true } creation)
        {
            await creation.JoinAsync(stopping);
        }

        var current = await LoadAsync(stopping, fresh: true) ?? throw NotFound();
        if (current.Manifest.FindOperation(growth.OperationId) is { } done)
        {
            RequireAdded(current.Manifest, done, done.Start, growth.Added, isAll: true);
            var existing = Existing(current.Manifest, done.Version);
            transition.Report(new ContextProgress(ContextStage.Stored, existing.Context.Tokens, existing.Context.Tokens, existing));
            return existing;
        }

        RefuseOtherVersion(current.Manifest, growth.IfVersion);
        int[] ids = [.. current.Manifest.TokenIds, .. growth.Added];
        TokenLimits.CheckWindow(ids.Length, Model);
        registry.Budgets.RequireFits(Key, current.Manifest.ChunkTenant, Model.Loaded.Layout.BytesOf(ids.Length));
        transition.Report(new ContextProgress(ContextStage.Accepted, 0, ids.Length));
        return await StoreVersionAsync(transition, current, ids, growth, stopping);
    }

    // Full pages are those of the version before, by their hashes; a partial last page is computed anew from its start (DESIGN §3).
    private async Task<ContextCreated> StoreVersionAsync(
        SharedTransition<ContextProgress, ContextCreated> transition, StoredManifest current, int[] ids, Growth growth, CancellationToken stopping)
    {
        var chain = await GetChainAsync(ids, current.Manifest.ChunkTenant, stopping);
        var known = current.Manifest.Chunks.GetValueOrDefault(Model.Numerics)?.Select(static chunk => chunk.Hash).ToHashSet() ?? [];
        using var room = await storage.TakeAsync(
            Key, current.Manifest.ChunkTenant, () => ValueTask.FromResult(chain.Where(chunk => !known.Contains(chunk.Hash.ToString())).Sum(ChunkStore.StoredBytes)), stopping);
        using var admitted = await PageAdmission.AdmitAsync(registry, Model.Loaded.Layout, chain, tailBytes: 0, growth.Batch, stopping);
        var lease = registry.Open(activation, current.Manifest.ChunkTenant, reclaimFirst: growth.Batch);
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
                    Reservation = admitted.Bytes,
                    Persist = true,
                    MustKnow = true,
                    Room = room,
                    Batch = growth.Batch,
                },
                filled => transition.Report(new ContextProgress(ContextStage.Prefilling, filled, ids.Length)),
                stopping);

            // Invariant 2: every chunk first, then the manifest.
            var writes = await Task.WhenAll(outcome.Writes).WaitAsync(stopping);
            transition.OutliveCallers();
            var operation = new ManifestOperation(growth.OperationId, current.Manifest.Version + 1, current.Manifest.TokenIds.Length, growth.Added.Length, time.GetUtcNow());

            // Labels, expiry and pin are those of the manifest that it is committed on; an addition is a hit.
            ContextManifest Grown(ContextManifest manifest, DateTimeOffset now) => manifest with
            {
                Version = operation.Version,
                State = ManifestStates.Stored,
                TokenIds = ids,
                Chunks = new Dictionary<string, ManifestChunk[]> { [Model.Numerics] = ManifestChunks(chain, writes) }, // other numerics have the old ids only
                Updated = now,
                Expires = Lifetimes.FindRefreshed(manifest, now) ?? manifest.Expires,
                Operations = [.. manifest.Operations, operation],
            };
            var stored = await CommitVersionAsync(Grown, current, operation, growth.Added, stopping);
            Adopt(lease, chain, stored.Manifest);
            var created = new ContextCreated(
                ManifestDescription.Of(stored.Manifest, lease.IsResident),
                Existed: false,
                outcome.RecomputedTokens,
                outcome.RestoredTokens,
                writes.Sum(static write => write.WrittenBytes),
                outcome.PrefillTime.TotalSeconds,
                Model.Numerics,
                Model.IsExact,
                operation.Version);
            transition.Report(new ContextProgress(ContextStage.Stored, ids.Length, ids.Length, created));
            return created;
        }
        catch
        {
            lease.Close();
            throw;
        }
    }

    private async Task<StoredManifest> CommitVersionAsync(
        Func<ContextManifest, DateTimeOffset, ContextManifest> grow, StoredManifest current, ManifestOperation operation, int[] added, CancellationToken stopping)
    {
        using var turn = await _commitTurn.TakeAsync(stopping);
        var previous = IsCurrent(current.Manifest) && _stored is { } newest ? newest : current; // what else was changed of that version meanwhile is kept
        for (var attempt = 1; ; attempt++)
        {
            var now = time.GetUtcNow();
            var next = previous.Manifest.IsAliveAt(now) ? grow(previous.Manifest, now) : throw NotFound(); // it expired while it grew: nobody revives it
            try
            {
                return await CommitWhileAliveAsync(next, previous, stopping);
            }
            catch (ObjectConflictException)
            {
                // Another process was quicker, or the context was deleted; or a process has only named more chunks, or changed labels, expiry or pin, of the
                // version that grows or, where the answer to this commit was lost, of the one that it made: then its operation is there.
                previous = await RequireAsync(stopping);
                if (previous.Manifest.Incarnation == next.Incarnation && previous.Manifest.FindOperation(operation.OperationId) is { } done
                    && (done.Version, done.Start) == (operation.Version, operation.Start))
                {
                    // Or it is the same request's, by another process that got it too: a kept answer that was drawn twice is not the same.
                    RequireAdded(previous.Manifest, done, operation.Start, added, isAll: true);
                    return previous with { Manifest = previous.Manifest.Version == next.Version ? previous.Manifest : next };
                }

                if (attempt == MostCommitAttempts || !IsCurrent(current.Manifest))
                {
                    throw OtherVersion(previous.Manifest, current.Manifest.Version);
                }
            }
        }
    }

    private ContextCreated Existing(ContextManifest manifest, long version)
    {
        var description = ManifestDescription.Of(manifest, _lease is { IsResident: true });
        return new ContextCreated(description, Existed: true, 0, description.Tokens, 0, 0, Model.Numerics, Model.IsExact, version);
    }

    // What an operation of an earlier life of the name added is gone with it.
    private void RequireAdded(ContextManifest manifest, ManifestOperation done, int start, ReadOnlySpan<int> ids, bool isAll)
    {
        if (done is { Start: 0, Count: 0 })
        {
            throw new GranaryException(ErrorCodes.ContextConflict, $"'{Key}' was deleted and made anew since this was asked for first.", "Read the context again and decide anew.");
        }

        var isThere = done.Start == start && (long)done.Start + done.Count <= manifest.TokenIds.Length && (!isAll || done.Count == ids.Length);
        if (!isThere || !manifest.TokenIds.AsSpan(done.Start, done.Count).StartsWith(ids))
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"Operation '{done.OperationId}' of '{Key}' added other ids.", "Draw a new operation id for each request; keep it only where the same request is sent again.");
        }
    }

    private static void RefuseOtherVersion(ContextManifest manifest, long? wanted)
    {
        if (wanted is { } version && version != manifest.Version)
        {
            throw OtherVersion(manifest, version);
        }
    }

    private static GranaryException OtherVersion(ContextManifest manifest, long wanted) => new(
        ErrorCodes.ContextConflict,
        $"'{new ContextId(manifest.Tenant, manifest.Model, manifest.Name)}' is at version {manifest.Version}, not {wanted}.",
        "Read the context again and decide anew.")
    {
        CurrentVersion = manifest.Version,
    };
}
