using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Draining;
using Granary.Grains.Errors;
using Granary.Grains.Models;
using Granary.Grains.Placement;
using Granary.Grains.Residency;
using Granary.Grains.Stores;
using Granary.Grains.Transitions;
using Granary.Models;
using Granary.Storage.Chunks;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;
using Granary.Storage.Specs;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;

namespace Granary.Grains.Contexts;

/// <summary>Owns one context: its manifest is its only state, its lease holds its pages (DESIGN §2, §5).</summary>
[ContextPlacement, Reentrant]
internal sealed partial class ContextGrain(
    IGrainContext activation,
    ILocalSiloDetails silo,
    SiloModels models,
    ManifestStore manifests,
    TenantStore tenants,
    KvRegistry registry,
    ResidentContexts resident,
    PageFiller filler,
    ChunkStore chunkStore,
    SweepSchedule sweeps,
    SiloDrain drain,
    TenantStorage storage,
    IOptions<SharingOptions> sharing,
    TimeProvider time,
    ILogger<ContextGrain> logger) : Grain, IContextGrain
{
    private readonly CancellationTokenSource _stopping = new();
    private ServedModel? _model;
    private IModelWorkerGrain? _worker;
    private StoredManifest? _stored;
    private long _commits;
    private ContextLease? _lease;
    private ChunkIdentity[]? _chain;
    private SharedTransition<ContextProgress, ContextCreated>? _create;
    private int[]? _creating;
    private SharedTransition<int, FillOutcome>? _restore;

    private ContextId Id => ContextId.Parse(Key);

    private string Key => this.GetPrimaryKeyString();

    // A generation's grain has no manifest, and its key is no context's name.
    private bool IsNameless => Key.Contains("/~", StringComparison.Ordinal);

    private ServedModel Model => _model ??= models.Get(ContextKey.ModelOf(Key));

    private IModelWorkerGrain Worker =>
        _worker ??= GrainFactory.GetGrain<IModelWorkerGrain>(new WorkerId(silo.Name, "cpu", Model.Id).ToString());

    /// <inheritdoc/>
    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        // Everything is stored already: there is nothing to flush and nobody to call (invariant 6).
        resident.Forget(Key);
        await _stopping.CancelAsync();
    }

    /// <inheritdoc/>
    public async Task<ContextDescription> GetAsync() => await ErrorEdge.GuardAsync(DescribeAsync());

    /// <inheritdoc/>
    public async Task<bool> EvictAsync()
    {
        var stored = await ErrorEdge.GuardAsync(RequireAsync(CancellationToken.None));
        if (stored.Manifest.PinnedUntil is { } until && until > time.GetUtcNow())
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"'{Key}' is pinned{(until == DateTimeOffset.MaxValue ? "" : $" until {until:u}")}.", "Unpin it first: granary context unpin.");
        }

        var was = _lease is { IsResident: true };
        if (was)
        {
            Telemetry.Instruments.Evictions.Add(1, Telemetry.Instruments.Tag("reason", "asked"));
        }

        _lease?.Close();
        return was;
    }

    /// <inheritdoc/>
    public async Task DeleteAsync(string? operationId) => await ErrorEdge.GuardAsync(DeleteOnceAsync(OperationIds.Check(operationId)));

    private async Task<ContextDescription> DescribeAsync()
    {
        var stored = await RequireAsync(CancellationToken.None);
        return ManifestDescription.Of(stored.Manifest, _lease is { IsResident: true }) with { VersionAgeSeconds = _uncheckedFor?.TotalSeconds };
    }

    private async Task<bool> DeleteOnceAsync(string operationId)
    {
        // Without a turn: a deletion does not wait for the answer to another commit, which its tombstone fences.
        var isReadable = true;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var found = isReadable ? await FindAsync() : await manifests.FindInvalidAsync(FirstVersion(), CancellationToken.None);
                if (found?.Manifest.FindOperation(operationId) is not null)
                {
                    return true; // it was done by this very request, whatever the name has become since
                }

                // The tombstone fences a creation that runs: its commit fails on the ETag (invariant 4).
                var stored = Alive(found) ?? throw NotFound();
                var tombstone = ManifestStore.Tombstone(stored.Manifest, time.GetUtcNow());
                var operations = tombstone.Operations.Append(new ManifestOperation(operationId, tombstone.Version, Done: time.GetUtcNow()));
                await CommitAsync(tombstone with { Operations = [.. operations] }, stored, CancellationToken.None);
                _create?.Cancel();
                return true;
            }
            catch (ObjectConflictException) when (attempt < MostUpdateAttempts)
            {
                // A creation, or a next version, was quicker: what it acknowledged is deleted.
                isReadable = true;
            }
            catch (StorageException e) when (e.Code == ErrorCodes.ManifestInvalid && attempt < MostUpdateAttempts)
            {
                isReadable = false; // what cannot be read can still be deleted
            }
        }

        async Task<StoredManifest?> FindAsync()
        {
            await LoadAsync(CancellationToken.None);
            return _stored;
        }
    }

    // A life of the name begins with it. What cannot be read counts as such a one, too: not even its operations are known.
    private ContextManifest FirstVersion()
    {
        var (id, now) = (Id, time.GetUtcNow());
        return new ContextManifest
        {
            Tenant = id.Tenant,
            Model = id.Model,
            Name = id.Name,
            Incarnation = Guid.NewGuid().ToString("N"),
            Version = 1,
            State = ManifestStates.Accepted,
            Fingerprint = Model.Spec.Fingerprint,
            TokenIds = [],
            Created = now,
            Updated = now,
        };
    }

    private async Task<StoredManifest> RequireAsync(CancellationToken cancellationToken) => await LoadAsync(cancellationToken) ?? throw NotFound();

    private GranaryException NotFound() => NotFound(Key);

    private static GranaryException NotFound(string context) => new(
        ErrorCodes.ContextNotFound, $"There is no context '{context}'.", "Create it first; granary context list shows what there is.");

    private bool IsCurrent(ContextManifest manifest) =>
        _stored is { } current && current.Manifest.Incarnation == manifest.Incarnation && current.Manifest.Version == manifest.Version
        && current.Manifest.State != ManifestStates.Deleted;

    private StoredManifest? Alive(StoredManifest? stored) =>
        stored is not null && stored.Manifest.IsAliveAt(time.GetUtcNow()) ? stored : null;

    private void Adopt(StoredManifest? found, long asked)
    {
        var changed = found?.Manifest.Incarnation != _stored?.Manifest.Incarnation || found?.Manifest.Version != _stored?.Manifest.Version
            || found?.Manifest.State == ManifestStates.Deleted;
        if (changed)
        {
            // Another version: its pages are others. A restore of the old one may still run; what it brings is not adopted.
            _lease?.Close();
            (_lease, _chain, _restore) = (null, null, null);
        }

        (_stored, _checked) = (found, asked);
        KeepWhilePinned();
        _uncheckedFor = IsChecked ? null : _uncheckedFor; // what a slow check found is old already
    }

    // What is known of the pin goes to the registry, which reclaims without a grain turn.
    private void KeepWhilePinned() => _lease?.Keep(_stored is { } stored ? Lifetimes.KeptUntil(stored.Manifest) : null);

    private async Task<StoredManifest> CommitAsync(ContextManifest next, StoredManifest? previous, CancellationToken cancellationToken)
    {
        try
        {
            var (asked, commits) = (time.GetTimestamp(), _commits);
            var committed = await manifests.CommitAsync(next, previous, cancellationToken);
            sweeps.Ensure(next.Tenant); // what it leaves behind has to be collected one day
            sweeps.Ensure(next.ChunkTenant);
            if (commits == _commits)
            {
                Adopt(committed, asked);
            }
            else
            {
                _checked = null; // a later commit has been answered before this one: what it left may be the newer
            }

            _commits++;
            return committed;
        }
        catch (ObjectConflictException)
        {
            Log.Fenced(logger, Id);
            _checked = null;
            _commits++; // a read that began before it may have seen what is known to be the past now
            throw;
        }
    }

    private async Task<ChunkIdentity[]> GetChainAsync(int[] ids, string chunkTenant, CancellationToken cancellationToken) =>
        Model.ChainOf(await tenants.GetSaltAsync(chunkTenant, cancellationToken), chunkTenant, ids);

    private Task<int[]> ReadAsync(string what, TokenInput input) => TokenReader.ReadAsync(what, input, Model, Worker);
}
