using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Granary.Contexts;
using Granary.Datasets;
using Granary.Errors;
using Granary.Grains.Contexts;
using Granary.Grains.Draining;
using Granary.Grains.Models;
using Granary.Grains.Placement;
using Granary.Grains.Planning;
using Granary.Grains.Residency;
using Granary.Models;
using Granary.Naming;
using Granary.Storage.Chunks;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;
using Granary.Storage.Specs;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;

namespace Granary.Grains.Datasets;

/// <summary>Estimates by the code that creates: the same tokens, limits, chains and sizes; only nothing is computed or written.</summary>
[ContextPlacement, Reentrant]
internal sealed class EstimateGrain(
    IGrainContext activation,
    SiloDrain drain,
    ILocalSiloDetails silo,
    SiloModels models,
    ManifestStore manifests,
    TenantStore tenants,
    ChunkStore chunks,
    KvRegistry registry,
    PrefixPlanner planner,
    IOptions<SharingOptions> sharing,
    TimeProvider time) : Grain, IEstimateGrain
{
    private const int LooksAtATime = 16;
    private readonly ActivationWork _work = drain.Register(activation);

    private string Key => this.GetPrimaryKeyString();

    /// <inheritdoc/>
    public IAsyncEnumerable<ContextEstimate> EstimateAsync(EstimateRequest request, CancellationToken cancellationToken) =>
        _work.ServeAsync(EstimateStreamAsync(request, cancellationToken));

    private async IAsyncEnumerable<ContextEstimate> EstimateStreamAsync(EstimateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var model = models.Get(Names.CheckModel(ContextKey.ModelOf(Key)));
        var worker = GrainFactory.GetGrain<IModelWorkerGrain>(new WorkerId(silo.Name, "cpu", model.Id).ToString());
        var query = new Query(Names.CheckTenant(ContextKey.TenantOf(Key)), model, worker);
        foreach (var context in request.Contexts)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return await EstimateAsync(query, context, cancellationToken);
        }
    }

    private async Task<ContextEstimate> EstimateAsync(Query query, EstimatedContext context, CancellationToken cancellationToken)
    {
        try
        {
            var model = query.Model;
            var read = await TokenReader.ReadAsync("context", context.Input, model, query.Worker);
            var (ids, _) = TokenLimits.FitContext(read, new CreateContextRequest { Input = context.Input }, model);
            var existing = await FindExistingAsync(query, context.Name, ids, cancellationToken);
            var owner = existing?.ChunkTenant ?? sharing.Value.ChunkTenantOf(query.Tenant);
            registry.Budgets.RequireFits(context.Name, owner, model.Loaded.Layout.BytesOf(ids.Length));
            var (salt, isKnown) = await GetSaltAsync(query, owner, cancellationToken);
            var chain = model.ChainOf(salt, owner, ids);
            if (existing is { State: ManifestStates.Stored } && existing.Chunks.ContainsKey(model.Numerics))
            {
                return Describe(model, ids.Length, chain, static _ => true); // creating finds it, and looks no further
            }

            if (isKnown)
            {
                await LookAsync(chain.Where(chunk => !query.Stored.ContainsKey(chunk.Hash)), query.Stored, cancellationToken);
            }

            return Describe(model, ids.Length, chain, chunk => query.Stored.GetValueOrDefault(chunk.Hash));
        }
        catch (Exception e) when (e is GranaryException { Code: not ErrorCodes.TokenizerMissing } or StorageException { Code: ErrorCodes.ManifestInvalid })
        {
            return new ContextEstimate(0, [], query.Model.IsExact, e is GranaryException known ? known.Code : ErrorCodes.ManifestInvalid, e.Message);
        }
    }

    private async Task<ContextManifest?> FindExistingAsync(Query query, string name, int[] ids, CancellationToken cancellationToken)
    {
        var found = (await manifests.FindAsync(query.Tenant, query.Model.Id, Names.Check("context", name), cancellationToken))?.Manifest;
        if (found is null || !found.IsAliveAt(time.GetUtcNow()))
        {
            return null;
        }

        return query.Model.IsOf(found, ids) ? found : throw ServedModel.OtherIds(name);
    }

    // A tenant without a salt has stored nothing; it gets none from being asked about.
    private async Task<(byte[] Salt, bool IsKnown)> GetSaltAsync(Query query, string owner, CancellationToken cancellationToken)
    {
        if (!query.Salts.TryGetValue(owner, out var salt))
        {
            var known = await tenants.FindSaltAsync(owner, cancellationToken);
            query.Salts[owner] = salt = (known ?? RandomNumberGenerator.GetBytes(TenantStore.SaltLength), known is not null);
        }

        return salt;
    }

    private ContextEstimate Describe(ServedModel model, int tokens, ChunkIdentity[] chain, Func<ChunkIdentity, bool> isStored)
    {
        var (layout, prefill) = (model.Loaded.Layout, planner.PaceOf(model.Id).Prefill);
        return new ContextEstimate(
            tokens,
            Array.ConvertAll(chain, chunk => new PageEstimate(
                chunk.Hash.ToString(),
                chunk.Count,
                layout.BytesOf(chunk.Count),
                ChunkStore.StoredBytes(chunk),
                isStored(chunk),
                prefill.IsKnown ? prefill.Expect(model.Loaded.PrefillOperations(chunk.Start, chunk.Count)) : null)),
            model.IsExact);
    }

    private async Task LookAsync(IEnumerable<ChunkIdentity> unknown, Dictionary<ChunkHash, bool> stored, CancellationToken cancellationToken)
    {
        foreach (var some in unknown.Chunk(LooksAtATime))
        {
            var found = await Task.WhenAll(some.Select(chunk => chunks.ExistsAsync(chunk, cancellationToken)));
            foreach (var (chunk, isThere) in some.Zip(found))
            {
                stored[chunk.Hash] = isThere;
            }
        }
    }

    // What one request has learned so far.
    private sealed record Query(string Tenant, ServedModel Model, IModelWorkerGrain Worker)
    {
        public Dictionary<string, (byte[] Salt, bool IsKnown)> Salts { get; } = new(StringComparer.Ordinal);

        public Dictionary<ChunkHash, bool> Stored { get; } = [];
    }
}
