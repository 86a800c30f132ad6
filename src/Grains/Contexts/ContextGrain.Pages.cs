using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Errors;
using Granary.Grains.Residency;
using Granary.Grains.Transitions;
using Granary.Storage.Chunks;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;

namespace Granary.Grains.Contexts;

internal sealed partial class ContextGrain
{
    // A context that is reclaimed again and again between its restore and its reader: the budget is far too small for the load.
    private const int MostAdmissionAttempts = 16;

    // Nothing is held while bytes are waited for, and a restore starts only with its bytes in hand: two asks cannot wait for each other (invariant 10).
    private async Task<PageGrant> GrantAsync(ContextManifest manifest, long tailBytes, PlanChoice plan, bool batch, CancellationToken cancellationToken)
    {
        var pageBytes = Model.Loaded.Layout.BytesOf(manifest.TokenIds.Length);
        registry.Budgets.RequireFits(manifest.ChunkTenant, pageBytes + tailBytes); // though the pages are resident: while others read them, it would wait in vain
        FillOutcome? joined = null;
        for (var attempt = 0; attempt < MostAdmissionAttempts; attempt++)
        {
            if (_create is { IsRunning: true } creation)
            {
                await AwaitResidentAsync(creation, cancellationToken);
            }

            if (_restore is { IsRunning: true } running)
            {
                joined = await running.JoinAsync(cancellationToken);
            }

            if (_lease is { IsResident: true })
            {
                var tail = await registry.Budgets.AdmitAsync(manifest.ChunkTenant, tailBytes, batch, cancellationToken);
                if (IsCurrent(manifest) && _lease?.TryRead() is { } reader)
                {
                    return joined is null ? PageGrant.Resident(reader, tail, manifest.TokenIds.Length) : PageGrant.Of(reader, tail, joined, joined.Reason);
                }

                tail.Dispose();
                RequireCurrent(manifest);
            }

            var chain = await ChainOfAsync(manifest, cancellationToken);
            var admitted = await PageAdmission.AdmitAsync(registry, Model.Loaded.Layout, chain, tailBytes, batch, cancellationToken);
            var ownsPages = true;
            try
            {
                RequireCurrent(manifest);
                if (_lease?.TryRead() is { } reader)
                {
                    return PageGrant.Resident(reader, admitted.Tail, manifest.TokenIds.Length);
                }

                if (_restore is not { IsRunning: true })
                {
                    ownsPages = false;
                    _restore = SharedTransition<int, FillOutcome>.Start(
                        (transition, stopping) => RestoreAsync(transition, manifest, chain, admitted, plan, batch, stopping), _stopping.Token);
                }
                else
                {
                    admitted.Dispose(); // the restore that runs has its own
                }

                // Taken before leaving: between the two, another ask that waits for bytes would have the pages reclaimed.
                var (outcome, taken) = await _restore.JoinAsync(outcome => (outcome, IsCurrent(manifest) ? _lease?.TryRead() : null), cancellationToken);
                if (taken is not null)
                {
                    return PageGrant.Of(taken, admitted.Tail, outcome, outcome.Reason);
                }

                RequireCurrent(manifest);
            }
            catch
            {
                admitted.Tail.Dispose();
                throw;
            }
            finally
            {
                if (ownsPages)
                {
                    admitted.Dispose();
                }
            }

            admitted.Tail.Dispose();
        }

        throw new GranaryException(
            ErrorCodes.KvBudgetExceeded,
            $"'{Key}' was reclaimed {MostAdmissionAttempts} times before it could be read: more contexts are asked at once than the budget of {registry.Budget.TotalBytes} bytes holds.",
            "Ask fewer contexts at once, or raise Granary:Residency:BudgetBytes.");
    }

    // An ask answers for the version that it was checked against, or not at all.
    private void RequireCurrent(ContextManifest manifest)
    {
        if (!IsCurrent(manifest))
        {
            throw new GranaryException(ErrorCodes.ContextConflict, $"'{Key}' was changed or deleted while it was asked.", "Ask again.");
        }
    }

    private static async Task AwaitResidentAsync(SharedTransition<ContextProgress, ContextCreated> creation, CancellationToken cancellationToken)
    {
        await foreach (var progress in creation.WatchAsync(cancellationToken))
        {
            if (progress.Stage >= ContextStage.Resident)
            {
                break;
            }
        }
    }

    private async Task<FillOutcome> RestoreAsync(
        SharedTransition<int, FillOutcome> transition, ContextManifest manifest, ChunkIdentity[] chain, PageAdmission admitted, PlanChoice plan, bool batch, CancellationToken stopping)
    {
        using var pages = admitted;
        var lease = registry.Open(activation, manifest.ChunkTenant, reclaimFirst: false);
        var filling = lease.BeginFill();
        try
        {
            var checksums = manifest.Chunks.GetValueOrDefault(Model.Numerics)?.ToDictionary(static chunk => chunk.Hash, static chunk => chunk.Checksum);
            var outcome = await filler.FillAsync(
                lease,
                new FillRequest
                {
                    Model = Model,
                    Worker = Worker,
                    Chain = chain,
                    Checksums = checksums ?? [],
                    Reservation = pages.Bytes,
                    Plan = plan,
                    Persist = true,
                    Room = storage.Count(manifest.ChunkTenant),
                    ExpectStored = manifest.State == ManifestStates.Stored && checksums is not null,
                    IsStoreSilent = _uncheckedFor is not null,
                    Batch = batch,
                },
                filled => Restored?.Invoke(filled),
                stopping);
            Adopt(lease, chain, manifest);
            transition.HoldForCallers(filling);
            _ = EndWritesAsync(manifest, chain, outcome.Writes);
            return outcome;
        }
        catch
        {
            lease.Close();
            filling.Dispose();
            throw;
        }
    }

    // The answer does not wait for writes: their pages are in memory, and a page that stays missing is computed again.
    private async Task EndWritesAsync(ContextManifest manifest, ChunkIdentity[] chain, List<Task<PageWrite>> writes)
    {
        try
        {
            var written = await Task.WhenAll(writes);
            if (written.Length == chain.Length && !(manifest.State == ManifestStates.Stored && manifest.Chunks.ContainsKey(Model.Numerics)))
            {
                await NameChunksAsync(manifest, ManifestChunks(chain, written), _stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The activation ends; the next restore names them.
        }
        catch (Exception e) when (ErrorEdge.IsForeign(e))
        {
            Log.RepairFailed(logger, Id, e.Message);
        }
    }

    // What was stored under a numerics id that the manifest does not name yet, or for a creation that was cut off: unnamed, the sweep would take it.
    private async Task NameChunksAsync(ContextManifest manifest, ManifestChunk[] own, CancellationToken stopping)
    {
        using var growth = await _growthTurn.TakeAsync(stopping); // growth commits on what it has read
        using var turn = await _commitTurn.TakeAsync(stopping);
        try
        {
            if (IsCurrent(manifest) && _create is not { IsRunning: true } && _stored is { } stored)
            {
                await CommitAsync(WithChunks(stored.Manifest, own), stored, stopping);
            }
        }
        catch (ObjectConflictException)
        {
            // Another process commits just now: the next restore names them, if that one does not.
        }
    }

    // What an accepted manifest names is only expected: nobody has acknowledged that it is there.
    private ContextManifest WithChunks(ContextManifest manifest, ManifestChunk[] own) => manifest with
    {
        State = ManifestStates.Stored,
        Chunks = new Dictionary<string, ManifestChunk[]>(manifest.Chunks.Where(_ => manifest.State == ManifestStates.Stored)) { [Model.Numerics] = own },
        Updated = time.GetUtcNow(),
    };

    private async Task<PageGrant> ComputePrivatelyAsync(
        ChunkIdentity[] chain, long tailBytes, bool isPrivate, bool batch, string reason, CancellationToken cancellationToken)
    {
        var pageBytes = Model.Loaded.Layout.BytesOf(chain.Sum(static chunk => (long)chunk.Count));
        var payer = chain[0].Tenant;
        var both = await registry.Budgets.AdmitAsync(payer, pageBytes + tailBytes, batch, cancellationToken);
        try
        {
            using var forPages = both.Take(pageBytes);
            var lease = registry.Open(activation, payer, reclaimFirst: true);
            var reader = lease.BeginFill();
            try
            {
                var outcome = await filler.FillAsync(
                    lease,
                    new FillRequest { Model = Model, Worker = Worker, Chain = chain, Reservation = forPages, Private = isPrivate, Batch = batch },
                    static _ => { },
                    cancellationToken);
                return isPrivate
                    ? PageGrant.Of(reader, both, outcome, reason) with { Decision = "none" }
                    : PageGrant.Of(reader, both, outcome, outcome.Reason);
            }
            catch
            {
                reader.Dispose();
                throw;
            }
            finally
            {
                // The reader keeps the pages; with it they go.
                lease.Close();
            }
        }
        catch
        {
            both.Dispose();
            throw;
        }
    }

    private async Task<ChunkIdentity[]> ChainOfAsync(ContextManifest manifest, CancellationToken cancellationToken) =>
        _chain is { } known && IsCurrent(manifest) ? known : await GetChainAsync(manifest.TokenIds, manifest.ChunkTenant, cancellationToken);

    private void Adopt(ContextLease lease, ChunkIdentity[] chain, ContextManifest manifest)
    {
        if (!IsCurrent(manifest))
        {
            // Deleted or made anew meanwhile: these pages are nobody's.
            lease.Close();
            return;
        }

        _lease?.Close();
        (_lease, _chain) = (lease, chain);
        KeepWhilePinned();
        resident.Note(Key, lease);
    }
}
