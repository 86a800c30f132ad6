using Granary.Client;
using Granary.Errors;
using Granary.Grains.Hosting;
using Granary.Grains.Models;
using Granary.Silo.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Granary.Silo;

/// <summary>A silo inside the caller's process, on loopback and free ports, with a client: what the command runs where no cluster is named.</summary>
public sealed class EmbeddedGranary : IAsyncDisposable
{
    private readonly IHost _host;

    private EmbeddedGranary(IHost host)
    {
        _host = host;
        Client = host.Services.GetRequiredService<IGranaryClient>();
    }

    /// <summary>Gets the client.</summary>
    public IGranaryClient Client { get; }

    /// <summary>Starts a silo.</summary>
    /// <param name="options">The settings; <see cref="GranaryOptions.Cluster"/> and the ports are not used.</param>
    /// <param name="features">The sections of the features, such as <c>Granary:Residency</c>; <see langword="null"/> for their defaults. Its <c>Granary:Models</c> are loaded too.</param>
    /// <param name="logging">Sets where logs go; <see langword="null"/> for nowhere.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The running silo; the caller disposes it.</returns>
    /// <exception cref="GranaryException">A setting, a checkpoint or the store cannot be used; the message says which and why.</exception>
    public static async Task<EmbeddedGranary> StartAsync(GranaryOptions options, IConfiguration? features, Action<ILoggingBuilder>? logging, CancellationToken cancellationToken)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        if (features is not null)
        {
            builder.Configuration.AddConfiguration(features);
        }

        logging?.Invoke(builder.Logging);
        builder.AddGranaryEmbedded(options);
        var host = builder.Build();
        try
        {
            await host.StartAsync(cancellationToken);
            return new EmbeddedGranary(host);
        }
        catch (Exception e)
        {
            host.Dispose();
            if (StartFault.Find(e) is { } fault)
            {
                throw fault;
            }

            throw;
        }
    }

    /// <summary>Loads a model into the running silo.</summary>
    /// <param name="modelId">Its id.</param>
    /// <param name="folder">Its Hugging Face folder.</param>
    /// <param name="dtype">What is computed in: <c>float32</c>, <c>bfloat16</c> or <c>float64</c>.</param>
    /// <param name="codec">How KV is stored, and held: <c>none</c> or, with float32, <c>bfloat16</c>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>A task that ends when the model is served.</returns>
    /// <exception cref="GranaryException">The checkpoint cannot be used, or the store knows the id with another content.</exception>
    public Task LoadModelAsync(string modelId, string folder, string dtype, string codec, CancellationToken cancellationToken) =>
        _host.Services.GetRequiredService<SiloModels>().LoadAsync(modelId, new ModelOptions { Path = folder, Dtype = dtype, Codec = codec }, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }
}
