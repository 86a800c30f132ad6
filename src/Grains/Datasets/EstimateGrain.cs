using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Granary.Contexts;
using Granary.Datasets;
using Granary.Errors;
using Granary.Grains.Contexts;
using Granary.Grains.Errors;
using Granary.Grains.Models;
using Granary.Grains.Placement;
using Granary.Grains.Planning;
using Granary.Grains.Residency;
using Granary.Models;
using Granary.Naming;
using Granary.Storage.Chunks;
using Granary.Storage.Specs;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;

namespace Granary.Grains.Datasets;

/// <summary>Estimates by the code that creates: the same tokens, limits, chains and sizes; only nothing is computed or written.</summary>
[ContextPlacement, Reentrant]
internal sealed class EstimateGrain(
    ILocalSiloDetails silo, SiloModels models, TenantStore tenants, ChunkStore chunks, KvRegistry registry, PrefixPlanner planner, IOptions<SharingOptions> sharing) : Grain, IEstimateGrain
{
    private const int LooksAtATime = 16;

    private string Key => this.GetPrimaryKeyString();

    /// <inheritdoc/>
    public IAsyncEnumerable<ContextEstimate> EstimateAsync(EstimateRequest request, CancellationToken cancellationToken) =>
        ErrorEdge.GuardAsync(EstimateStreamAsync(request, cancellationToken), cancellationToken);

    private async IAsyncEnumerable<ContextEstimate> EstimateStreamAsync(EstimateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var model = models.Get(Names.CheckModel(ContextKey.ModelOf(Key)));
        var worker = GrainFactory.GetGrain<IModelWorkerGrain>(new WorkerId(silo.Name, "cpu", model.Id).ToString());
        var owner = sharing.Value.ChunkTenantOf(Names.CheckTenant(ContextKey.TenantOf(Key)));
        var known = await tenants.FindSaltAsync(owner, cancellationToken);
        var salt = known ?? RandomNumberGenerator.GetBytes(TenantStore.SaltLength); // a tenant without a salt has stored nothing; it gets none from being asked about
        var stored = new Dictionary<ChunkHash, bool>();
        foreach (var input in request.Contexts)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return await EstimateAsync(input, model, worker, ids => model.ChainOf(salt, owner, ids), known is null ? null : stored, cancellationToken);
        }
    }

    private async Task<ContextEstimate> EstimateAsync(
        TokenInput input, ServedModel model, IModelWorkerGrain worker, Func<int[], ChunkIdentity[]> chainOf, Dictionary<ChunkHash, bool>? stored, CancellationToken cancellationToken)
    {
        int[] ids;
        try
        {
            (ids, _) = TokenLimits.FitContext(await TokenReader.ReadAsync("context", input, model, worker), new CreateContextRequest { Input = input }, model);
            TokenLimits.CheckBudget("The context", ids.Length, model, registry.Budget);
        }
        catch (GranaryException e) when (e.Code != ErrorCodes.TokenizerMissing)
        {
            return new ContextEstimate(0, [], model.IsExact, e.Code, e.Message);
        }

        var chain = chainOf(ids);
        if (stored is not null)
        {
            await LookAsync(chain.Where(chunk => !stored.ContainsKey(chunk.Hash)), stored, cancellationToken);
        }

        var (layout, prefill) = (model.Loaded.Layout, planner.PaceOf(model.Id).Prefill);
        return new ContextEstimate(
            ids.Length,
            Array.ConvertAll(chain, chunk => new PageEstimate(
                chunk.Hash.ToString(),
                chunk.Count,
                layout.BytesOf(chunk.Count),
                ChunkStore.StoredBytes(chunk),
                stored?[chunk.Hash] ?? false,
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
}
