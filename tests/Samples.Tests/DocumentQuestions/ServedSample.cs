using Granary.Client;
using Granary.DocumentQuestions;
using Granary.DocumentQuestions.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Granary.Samples.Tests.DocumentQuestions;

/// <summary>The service in this process, behind Kestrel on a free port of 127.0.0.1.</summary>
internal sealed class ServedSample : IAsyncDisposable
{
    private readonly WebApplication _app;

    private ServedSample(WebApplication app)
    {
        _app = app;
        Http = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
    }

    public HttpClient Http { get; }

    public IGranaryClient Granary => _app.Services.GetRequiredService<IGranaryClient>();

    /// <summary>Starts it as it starts where no cluster is named: on the bundled model, in this process.</summary>
    public static Task<ServedSample> StartEmbeddedAsync(string store, CancellationToken cancellationToken) => StartAsync(
        builder =>
        {
            builder.Configuration.AddInMemoryCollection([new("Granary:Store", store)]);
            builder.AddGranary();
        },
        cancellationToken);

    /// <summary>Starts it on a cluster.</summary>
    public static Task<ServedSample> StartOnClusterAsync(string cluster, CancellationToken cancellationToken) => StartAsync(
        builder =>
        {
            builder.Configuration.AddInMemoryCollection([new("Granary:Cluster", cluster)]);
            builder.AddGranary();
        },
        cancellationToken);

    /// <summary>Starts it on a client of the test's own.</summary>
    public static Task<ServedSample> StartAsync(IGranaryClient granary, CancellationToken cancellationToken) =>
        StartAsync(builder => builder.Services.AddSingleton(granary), cancellationToken);

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static async Task<ServedSample> StartAsync(Action<WebApplicationBuilder> addGranary, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.Sources.Clear(); // nothing of the machine's
        builder.Configuration.AddInMemoryCollection([new("urls", "http://127.0.0.1:0")]);
        builder.Logging.ClearProviders();
        addGranary(builder);
        builder.AddDocuments();
        var app = builder.Build();
        app.MapDocuments();
        await app.StartAsync(cancellationToken);
        return new ServedSample(app);
    }
}
