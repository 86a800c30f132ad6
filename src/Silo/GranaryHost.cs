using Granary.Errors;
using Granary.Grains.Hosting;
using Granary.Silo.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Silo;

/// <summary>A silo process: <c>granary serve</c>.</summary>
public static class GranaryHost
{
    /// <summary>Runs a silo until it is told to stop (SIGTERM, SIGINT or the token).</summary>
    /// <param name="configuration">The settings; the section <c>Granary</c> has the silo's.</param>
    /// <param name="logging">Sets where logs go.</param>
    /// <param name="ready">Called once the silo has joined, with a line that names it and its gateway.</param>
    /// <param name="cancellationToken">Stops the silo.</param>
    /// <returns>A task that ends when the silo has stopped.</returns>
    /// <exception cref="GranaryException">A setting, a checkpoint or the store cannot be used; the message says which and why.</exception>
    public static async Task RunAsync(IConfiguration configuration, Action<ILoggingBuilder> logging, Action<string> ready, CancellationToken cancellationToken)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddConfiguration(configuration);
        logging(builder.Logging);
        var options = GranarySettings.Read(configuration);
        GranaryOptionsValidator.Check(options);
        var store = StoreOpening.Open(options.Store);
        if (WarmsUp(options))
        {
            using var logs = LoggerFactory.Create(logging);
            await new WarmUp(options.Engine, TimeProvider.System, logs.CreateLogger<WarmUp>()).RunAsync(cancellationToken);
        }

        builder.AddGranarySilo(options, store); // not before: it chooses ports that are free now
        using var host = builder.Build();
        try
        {
            await host.StartAsync(cancellationToken);
        }
        catch (Exception e) when (StartFault.Find(e) is { } fault)
        {
            throw fault;
        }

        var endpoints = host.Services.GetRequiredService<IOptions<Orleans.Configuration.EndpointOptions>>().Value;
        var name = host.Services.GetRequiredService<ILocalSiloDetails>().Name;
        var models = options.Models.Count == 0 ? "no model" : string.Join(", ", options.Models.Keys.Order(StringComparer.Ordinal));
        ready($"Silo {name} ({options.Role.ToString().ToLowerInvariant()}) serves {models} at {endpoints.AdvertisedIPAddress}:{endpoints.GatewayPort}, store {store.Description}");
        await host.WaitForShutdownAsync(cancellationToken);
    }
    // A silo alone would only start later, and a front computes nothing.
    internal static bool WarmsUp(GranaryOptions options) => options.Silo.WarmUp && options.Cluster != "localhost" && options.Role != SiloRole.Front;
}
