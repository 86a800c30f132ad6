using Granary.Client.Calls;
using Granary.Client.Connection;
using Granary.Client.Contexts;
using Granary.Client.Datasets;
using Granary.Client.Silos;
using Granary.Client.Stores;
using Granary.Contexts;
using Granary.Datasets;
using Granary.Models;
using Granary.Naming;
using Microsoft.Extensions.Logging;

namespace Granary.Client;

/// <summary>The client over Orleans: an external client's grain factory, or the embedded silo's own.</summary>
internal sealed class GranaryClient(IGrainFactory grains, TimeProvider time, TimeSpan retryFor, GatewayLosses losses, ILogger<GranaryClient> logger) : IGranaryClient
{
    private const int ContextsPerPage = 500; // some hundred bytes each: a message far below the limit
    private readonly GrainCalls _calls = new(time, retryFor, losses, logger);

    /// <inheritdoc/>
    public IGranaryContext Context(string model, string name, string? tenant) =>
        new GranaryContext(grains, _calls, new ContextId(TenantOf(tenant), Names.CheckModel(model), Names.Check("context", name)));

    /// <inheritdoc/>
    public IAsyncEnumerable<ContextDescription> ListContextsAsync(string? model, string? tenant, CancellationToken cancellationToken)
    {
        var request = new ContextListRequest { Model = model is null ? null : Names.CheckModel(model), Limit = ContextsPerPage };
        return ContextPages.ReadAllAsync((after, token) => ListContextsPageAsync(request with { After = after }, tenant, token), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<ContextPage> ListContextsPageAsync(ContextListRequest request, string? tenant, CancellationToken cancellationToken)
    {
        var catalog = grains.Find<ICatalogGrain>(TenantOf(tenant));
        return await _calls.CallAsync(() => catalog.ListContextsPageAsync(request, cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<AnswerPart> GenerateAsync(string model, GenerateRequest request, string? tenant, CancellationToken cancellationToken)
    {
        RequestSize.Check("context", request.Context);
        RequestSize.Check("prompt", request.Prompt);

        // A name that no stored context can have: the grain behind it keeps no manifest.
        var id = new ContextId(TenantOf(tenant), Names.CheckModel(model), $"~{Guid.NewGuid():N}");
        var grain = grains.Find<IContextGrain>(id.ToString());
        var sent = request with { Options = ResumedAnswer.WithSeed(request.Options) };
        return ResumedAnswer.ReadAsync(_calls, (resume, token) => grain.GenerateAsync(sent with { Resume = resume ?? sent.Resume }, token), cancellationToken);
    }

    /// <inheritdoc/>
    public IGranaryDataset Dataset(string name, string? tenant) =>
        new GranaryDataset(grains, _calls, new DatasetId(TenantOf(tenant), Names.Check("data set", name)));

    /// <inheritdoc/>
    public IGranaryCluster Cluster => new GranaryCluster(grains, _calls, time);

    /// <inheritdoc/>
    public IGranaryStore Store(string? tenant) => new GranaryStore(grains, _calls, Names.Check("tenant", tenant ?? Names.DefaultTenant));

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ModelDescription>> ListModelsAsync(string? tenant, CancellationToken cancellationToken) =>
        await _calls.CallAsync(grains.Find<ICatalogGrain>(TenantOf(tenant)).ListModelsAsync, cancellationToken).ConfigureAwait(false);

    private static string TenantOf(string? tenant) => Names.CheckTenant(tenant ?? Names.DefaultTenant);
}
