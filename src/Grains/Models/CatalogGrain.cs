using Granary.Contexts;
using Granary.Errors;
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
[AvoidDraining, Reentrant]
internal sealed class CatalogGrain(
    ManifestStore manifests,
    ContextSummaries summaries,
    ModelSpecStore specs,
    SiloInventory inventory,
    ISiloInventoryClient services,
    TimeProvider time) : Grain, ICatalogGrain
{
    private const int ReadsAtOnce = 16;
    private const int MostLooked = 2048;
    private const long MostLabelCharacters = 1 << 20;
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan LongestLook = TimeSpan.FromSeconds(1.5);

    /// <inheritdoc/>
    public async Task<ContextPage> ListContextsPageAsync(ContextListRequest request, CancellationToken cancellationToken) =>
        await ErrorEdge.GuardAsync(ListPageAsync(request, cancellationToken));

    /// <inheritdoc/>
    public async Task<ModelDescription[]> ListModelsAsync() => await ErrorEdge.GuardAsync(ListModelsOnceAsync());

    private async Task<ContextPage> ListPageAsync(ContextListRequest request, CancellationToken cancellationToken)
    {
        var tenant = Names.CheckTenant(this.GetPrimaryKeyString());
        if (request.Limit is < 1 or > ContextListRequest.MaxLimit)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"A page of {request.Limit} contexts was asked for.", $"Ask for 1 to {ContextListRequest.MaxLimit}.");
        }

        var (model, selectors) = (request.Model is null ? null : Names.CheckModel(request.Model), LabelSelector.ParseAll(request.Labels));
        var (started, resident) = (time.GetTimestamp(), await ListResidentAsync());
        var (items, looked, labelCharacters) = (new List<ContextDescription>(), 0, 0L);
        await foreach (var few in manifests.ListAsync(tenant, model, AfterOf(request.After), cancellationToken).Chunk(Math.Min(ReadsAtOnce, request.Limit)).WithCancellation(cancellationToken))
        {
            var found = await Task.WhenAll(few.Select(one => FindAsync(one, resident, cancellationToken)));
            foreach (var (one, description) in few.Zip(found))
            {
                looked++;
                if (description is not null && Array.TrueForAll(selectors, selector => selector.Selects(description.Labels)))
                {
                    items.Add(description);
                    labelCharacters += description.Labels.Sum(static label => (long)label.Key.Length + label.Value.Length);
                    if (items.Count == request.Limit)
                    {
                        return new ContextPage([.. items], $"{one.Model}/{one.Name}");
                    }
                }
            }

            // Where few are selected, a page is what was found in the time that a call has; and it has to fit into a message.
            if (looked >= MostLooked || labelCharacters >= MostLabelCharacters || time.GetElapsedTime(started) >= LongestLook)
            {
                return new ContextPage([.. items], $"{few[^1].Model}/{few[^1].Name}");
            }
        }

        return new ContextPage([.. items], null);
    }

    private static (string Model, string Name)? AfterOf(string? continuation) => continuation?.Split('/') switch
    {
        null => null,
        [var model, var name] => (Names.CheckModel(model), Names.Check("context", name)),
        _ => throw new GranaryException(ErrorCodes.InvalidArgument, $"'{continuation}' continues no listing.", "Give what the page before said."),
    };

    // Null for one that is gone, or whose time is over.
    private async Task<ContextDescription?> FindAsync(ListedManifest listed, HashSet<string> resident, CancellationToken cancellationToken)
    {
        try
        {
            return await summaries.FindAsync(listed, cancellationToken) is { State: not ManifestStates.Deleted } context && !(context.Expires <= time.GetUtcNow())
                ? context with { Resident = resident.Contains(new ContextId(listed.Tenant, listed.Model, listed.Name).ToString()) }
                : null;
        }
        catch (StorageException e) when (e.Code == ErrorCodes.ManifestInvalid)
        {
            // A bad manifest is an error for that context alone (invariant 3).
            return Invalid(listed.Model, listed.Name);
        }
    }

    private async Task<HashSet<string>> ListResidentAsync()
    {
        var lists = await Task.WhenAll(inventory.Stocks.Keys.Select(async silo =>
        {
            try
            {
                return await services.Of(silo).ListResidentAsync().WaitAsync(LongestSilence, time);
            }
            catch (Exception e) when (e is OrleansException or TimeoutException)
            {
                // A silo that is leaving holds nothing for much longer, and one that is silent answers nobody.
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
