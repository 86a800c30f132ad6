using Granary.Client;
using Granary.Contexts;
using Granary.Models;

namespace Granary.Samples.Tests.DocumentQuestions;

/// <summary>A client with one context, under every name.</summary>
internal sealed class FakeClient(IGranaryContext context) : IGranaryClient
{
    public IGranaryCluster Cluster => throw new NotSupportedException();

    public IGranaryContext Context(string model, string name, string? tenant = null) => context;

    public IAsyncEnumerable<ContextDescription> ListContextsAsync(string? model = null, string? tenant = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<ContextPage> ListContextsPageAsync(ContextListRequest request, string? tenant = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public IAsyncEnumerable<AnswerPart> GenerateAsync(string model, GenerateRequest request, string? tenant = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public IGranaryDataset Dataset(string name, string? tenant = null) => throw new NotSupportedException();

    public IGranaryStore Store(string? tenant = null) => throw new NotSupportedException();

    public Task<IReadOnlyList<ModelDescription>> ListModelsAsync(string? tenant = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();
}
