using Granary.Contexts;

namespace Granary.Models;

/// <summary>Lists what the store and the cluster have. Key: the tenant. It keeps no state.</summary>
[Alias("granary.ICatalogGrain")]
public interface ICatalogGrain : IGrainWithStringKey
{
    /// <summary>Lists some of the tenant's contexts, ordered by model and name. No silo keeps where a listing is: a page that is asked for again is given again.</summary>
    /// <param name="request">Which, how many, and from where.</param>
    /// <param name="cancellationToken">Ends the listing.</param>
    /// <returns>A page, and where the next one starts.</returns>
    [Alias("ListContextsPage")]
    Task<ContextPage> ListContextsPageAsync(ContextListRequest request, CancellationToken cancellationToken = default);

    /// <summary>Lists the models that the store knows.</summary>
    /// <returns>One element a model, ordered by id.</returns>
    [Alias("ListModels")]
    Task<ModelDescription[]> ListModelsAsync();
}
