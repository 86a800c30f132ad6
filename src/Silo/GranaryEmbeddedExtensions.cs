using Granary.Client;
using Granary.Silo.Hosting;
using Granary.Storage.Objects;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Granary.Silo;

/// <summary>Adds a silo of its own to a program, for tests, tools and single machines.</summary>
public static class GranaryEmbeddedExtensions
{
    /// <summary>Adds a silo on loopback and free ports, and <see cref="IGranaryClient"/>.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="options">The settings; <see cref="GranaryOptions.Cluster"/> and the ports are not used.</param>
    /// <returns>The host.</returns>
    public static IHostApplicationBuilder AddGranaryEmbedded(this IHostApplicationBuilder builder, GranaryOptions options) =>
        builder.AddGranaryEmbedded(options, StoreOpening.Open(options.Store));

    /// <summary>Adds a silo on loopback and free ports, and <see cref="IGranaryClient"/>, on a store of the caller's own.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="options">The settings; <see cref="GranaryOptions.Cluster"/>, <see cref="GranaryOptions.Store"/> and the ports are not used.</param>
    /// <param name="store">The store.</param>
    /// <returns>The host.</returns>
    public static IHostApplicationBuilder AddGranaryEmbedded(this IHostApplicationBuilder builder, GranaryOptions options, IObjectStore store)
    {
        (options.Cluster, options.Silo.Port, options.Silo.GatewayPort) = ("localhost", 0, 0);
        foreach (var (id, model) in options.Models)
        {
            builder.Configuration.AddInMemoryCollection(
            [
                new($"Granary:Models:{id}:Path", model.Path),
                new($"Granary:Models:{id}:Dtype", model.Dtype),
                new($"Granary:Models:{id}:Codec", model.Codec),
            ]);
        }

        builder.AddGranarySilo(options, store);
        builder.Services.AddSingleton<IGranaryClient>(static services => new GranaryClient(
            services.GetRequiredService<IGrainFactory>(), services.GetRequiredService<TimeProvider>(), GranaryClientOptions.DefaultRetryFor));
        return builder;
    }
}
