using Granary.Contexts;

namespace Granary.Models;

/// <summary>Lists what the store and the cluster have. Key: the tenant. It keeps no state.</summary>
[Alias("granary.ICatalogGrain")]
public interface ICatalogGrain : IGrainWithStringKey
{
    /// <summary>Lists the tenant's contexts, ordered by model and name.</summary>
    /// <param name="model">Only this model's; <see langword="null"/> for all.</param>
    /// <param name="cancellationToken">Ends the listing.</param>
    /// <returns>One element a context. A manifest that cannot be trusted has the state <c>invalid</c>.</returns>
    [Alias("ListContexts")]
    IAsyncEnumerable<ContextDescription> ListContextsAsync(string? model, CancellationToken cancellationToken = default);

    /// <summary>Lists the models that the store knows.</summary>
    /// <returns>One element a model, ordered by id.</returns>
    [Alias("ListModels")]
    Task<ModelDescription[]> ListModelsAsync();
}
