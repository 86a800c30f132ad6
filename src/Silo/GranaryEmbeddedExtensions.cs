using Granary.Client;
using Granary.Client.Connection;
using Granary.Errors;
using Granary.Silo.Hosting;
using Granary.Storage.Objects;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Granary.Silo;

/// <summary>Adds a silo of its own to a program, for tests, tools and single machines.</summary>
public static class GranaryEmbeddedExtensions
{
    /// <summary>Adds a silo on loopback and free ports, and <see cref="IGranaryClient"/>, with the settings of the host's configuration: the same interface as <c>AddGranaryClient</c>, without a cluster.</summary>
    /// <param name="builder">The host, a <c>WebApplicationBuilder</c> for one. Its section <c>Granary</c> has the settings, those of the features included (<c>Granary:Residency</c>, <c>Granary:Plan</c> and so on).</param>
    /// <param name="configure">Sets what the configuration leaves open, or puts another value in its place; models that it adds are served beside the configured ones. <see cref="GranaryOptions.Cluster"/> and the ports are not used.</param>
    /// <returns>The host.</returns>
    /// <remarks>
    /// The models are loaded while the host starts, before it serves anything; the silo stops with the host. The start fails where a model or a setting of a feature cannot be used. One silo alone: contexts that it
    /// stores are seen by others on the same store, and nothing else is shared.
    /// </remarks>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: the message names every setting that is wrong. What the store says, where it cannot be used.</exception>
    public static IHostApplicationBuilder AddGranaryEmbedded(this IHostApplicationBuilder builder, Action<GranaryOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var options = GranarySettings.Read(builder.Configuration);
        configure?.Invoke(options);
        return builder.AddGranaryEmbedded(options);
    }

    /// <summary>Adds a silo on loopback and free ports, and <see cref="IGranaryClient"/>.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="options">The settings; <see cref="GranaryOptions.Cluster"/> and the ports are not used.</param>
    /// <returns>The host.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: the message names every setting that is wrong. What the store says, where it cannot be used.</exception>
    public static IHostApplicationBuilder AddGranaryEmbedded(this IHostApplicationBuilder builder, GranaryOptions options) =>
        builder.AddGranaryEmbedded(options, StoreOpening.Open(options.Store));

    /// <summary>Adds a silo on loopback and free ports, and <see cref="IGranaryClient"/>, on a store of the caller's own.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="options">The settings; <see cref="GranaryOptions.Cluster"/>, <see cref="GranaryOptions.Store"/> and the ports are not used.</param>
    /// <param name="store">The store.</param>
    /// <returns>The host.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: the message names every setting that is wrong.</exception>
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

        builder.AddSilo(options, store); // undrained: its callers are in this process, and stop with it
        builder.Services.AddSingleton<GatewayLosses>(); // none: its calls stay in the process
        builder.Services.AddSingleton<IGranaryClient>(static services => new GranaryClient(
            services.GetRequiredService<IGrainFactory>(),
            services.GetRequiredService<TimeProvider>(),
            GranaryClientOptions.DefaultRetryFor,
            services.GetRequiredService<GatewayLosses>(),
            services.GetRequiredService<ILogger<GranaryClient>>()));
        return builder;
    }
}
