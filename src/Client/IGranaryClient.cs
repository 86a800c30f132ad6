using Granary.Contexts;
using Granary.Models;

namespace Granary.Client;

/// <summary>Granary, as other services use it: contexts whose KV caches are computed once and asked many times.</summary>
/// <remarks>
/// Safe for concurrent use. Every call throws <see cref="Errors.GranaryException"/> with a code and a remedy, or, where its token was
/// cancelled, <see cref="OperationCanceledException"/>. Streams start when they are enumerated.
/// </remarks>
public interface IGranaryClient
{
    /// <summary>Names a context; nothing is looked up yet.</summary>
    /// <param name="model">The model id.</param>
    /// <param name="name">The context's name.</param>
    /// <param name="tenant">The tenant; <see langword="null"/> for <c>default</c>.</param>
    /// <returns>The context.</returns>
    /// <exception cref="Errors.GranaryException"><c>InvalidName</c>: use a name that follows the pattern in the message.</exception>
    IGranaryContext Context(string model, string name, string? tenant = null);

    /// <summary>Lists stored contexts, ordered by model and name.</summary>
    /// <param name="model">Only this model's; <see langword="null"/> for all.</param>
    /// <param name="tenant">The tenant; <see langword="null"/> for <c>default</c>.</param>
    /// <param name="cancellationToken">Ends the listing.</param>
    /// <returns>One element a context.</returns>
    IAsyncEnumerable<ContextDescription> ListContextsAsync(string? model = null, string? tenant = null, CancellationToken cancellationToken = default);

    /// <summary>Lists some stored contexts, ordered by model and name.</summary>
    /// <param name="request">Which, how many, and from where.</param>
    /// <param name="tenant">The tenant; <see langword="null"/> for <c>default</c>.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>A page, and where the next one starts.</returns>
    Task<ContextPage> ListContextsPageAsync(ContextListRequest request, string? tenant = null, CancellationToken cancellationToken = default);

    /// <summary>Answers a prompt over a context that is not stored.</summary>
    /// <param name="model">The model id.</param>
    /// <param name="request">Context and prompt.</param>
    /// <param name="tenant">The tenant; <see langword="null"/> for <c>default</c>.</param>
    /// <param name="cancellationToken">Stops at the next step.</param>
    /// <returns>Tokens; the last element has the answer.</returns>
    IAsyncEnumerable<AnswerPart> GenerateAsync(string model, GenerateRequest request, string? tenant = null, CancellationToken cancellationToken = default);

    /// <summary>Names a data set; nothing is looked up yet.</summary>
    /// <param name="name">The data set's name.</param>
    /// <param name="tenant">The tenant; <see langword="null"/> for <c>default</c>.</param>
    /// <returns>The data set.</returns>
    /// <exception cref="Errors.GranaryException"><c>InvalidName</c>: use a name that follows the pattern in the message.</exception>
    IGranaryDataset Dataset(string name, string? tenant = null);

    /// <summary>Gets the silos behind this client.</summary>
    IGranaryCluster Cluster { get; }

    /// <summary>Names a tenant's store; nothing is looked up yet.</summary>
    /// <param name="tenant">The tenant; <see langword="null"/> for <c>default</c>.</param>
    /// <returns>The store.</returns>
    /// <exception cref="Errors.GranaryException"><c>InvalidName</c>: use a name that follows the pattern in the message.</exception>
    IGranaryStore Store(string? tenant = null);

    /// <summary>Lists the models that the store knows.</summary>
    /// <param name="tenant">The tenant; <see langword="null"/> for <c>default</c>.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>The models, ordered by id.</returns>
    Task<IReadOnlyList<ModelDescription>> ListModelsAsync(string? tenant = null, CancellationToken cancellationToken = default);
}
