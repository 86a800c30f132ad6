using System.Runtime.CompilerServices;
using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Contexts;
using Granary.Grains.Draining;
using Granary.Grains.Errors;
using Granary.Grains.Placement;
using Granary.Models;
using Granary.Naming;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;
using Granary.Storage.Specs;
using Orleans.Concurrency;

namespace Granary.Grains.Models;

/// <summary>Lists what the store and the cluster have. It reads manifests itself, so that a listing activates no context.</summary>
/// <remarks>No stateless worker: the next batch of a listing must reach the activation that holds its enumerator.</remarks>
[AvoidDraining, Reentrant]
internal sealed class CatalogGrain(
    IGrainContext activation,
    SiloDrain drain,
    ManifestStore manifests,
    ModelSpecStore specs,
    SiloInventory inventory,
    ISiloInventoryClient services,
    TimeProvider time) : Grain, ICatalogGrain
{
    private readonly ActivationWork _work = drain.Register(activation);

    /// <inheritdoc/>
    public IAsyncEnumerable<ContextDescription> ListContextsAsync(string? model, CancellationToken cancellationToken) =>
        _work.ServeAsync(ListContextsOnceAsync(model, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public async Task<ModelDescription[]> ListModelsAsync() => await ErrorEdge.GuardAsync(ListModelsOnceAsync());

    private async IAsyncEnumerable<ContextDescription> ListContextsOnceAsync(string? model, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var tenant = Names.CheckTenant(this.GetPrimaryKeyString());
        var resident = await ListResidentAsync();
        await foreach (var (owner, name) in manifests.ListAsync(tenant, model is null ? null : Names.CheckModel(model), cancellationToken))
        {
            ContextDescription description;
            try
            {
                var stored = await manifests.FindAsync(tenant, owner, name, cancellationToken);
                if (stored is null || !stored.Manifest.IsAliveAt(time.GetUtcNow()))
                {
                    continue;
                }

                description = ManifestDescription.Of(stored.Manifest, resident.Contains(new ContextId(tenant, owner, name).ToString()));
            }
            catch (StorageException e) when (e.Code == ErrorCodes.ManifestInvalid)
            {
                // A bad manifest is an error for that context alone (invariant 3).
                description = Invalid(owner, name);
            }

            yield return description;
        }
    }

    private async Task<HashSet<string>> ListResidentAsync()
    {
        var lists = await Task.WhenAll(inventory.Stocks.Keys.Select(async silo =>
        {
            try
            {
                return await services.Of(silo).ListResidentAsync();
            }
            catch (Exception e) when (e is OrleansException or TimeoutException)
            {
                // A silo that is leaving holds nothing for much longer.
                return [];
            }
        }));
        return [.. lists.SelectMany(static list => list)];
    }

    private async Task<ModelDescription[]> ListModelsOnceAsync()
    {
        var models = new List<ModelDescription>();
        await foreach (var spec in specs.ListAsync(CancellationToken.None))
        {
            var serving = inventory.Stocks.Values.Where(stock => stock.Models.Contains(spec.Model)).ToList();
            var numerics = serving.SelectMany(static stock => stock.Numerics ?? []).Where(served => served.Model == spec.Model).Distinct().ToList();
            models.Add(ServedModel.Describe(spec) with
            {
                Silos = [.. serving.Select(static stock => stock.Name).Order(StringComparer.Ordinal)],
                Numerics = numerics is [var only] ? only.Id : null,
                Exact = numerics.Count > 0 ? numerics.TrueForAll(static served => served.Exact) : null,
            });
        }

        return [.. models.OrderBy(static model => model.Model, StringComparer.Ordinal)];
    }

    private static ContextDescription Invalid(string model, string name) => new()
    {
        Context = name,
        Model = model,
        State = "invalid",
        Version = 0,
        Tokens = 0,
        Pages = 0,
        StoredBytes = 0,
        Resident = false,
        Created = DateTimeOffset.UnixEpoch,
        Labels = [],
    };
}
