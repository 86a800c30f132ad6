using System.Net;
using Granary.Client.Connection;
using Granary.Errors;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using StackExchange.Redis;

namespace Granary.Client;

/// <summary>Adds Granary to a service.</summary>
public static class GranaryClientServices
{
    /// <summary>Adds <see cref="IGranaryClient"/>, connected while the host runs.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configure">Sets the options; they are checked when the host starts.</param>
    /// <returns>The same services.</returns>
    /// <remarks>
    /// It connects nothing yet; the start of the host does. That throws <see cref="OptionsValidationException"/> with every fault where the options are wrong;
    /// <see cref="GranaryException"/> with <see cref="ErrorCodes.Unavailable"/> where no silo answers within <see cref="GranaryClientOptions.ConnectTimeout"/>: start one, or correct the
    /// address; and <see cref="OperationCanceledException"/> where its token is cancelled.
    /// </remarks>
    public static IServiceCollection AddGranaryClient(this IServiceCollection services, Action<GranaryClientOptions> configure)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<IValidateOptions<GranaryClientOptions>, GranaryClientOptionsValidator>();
        services.AddOptions<GranaryClientOptions>().Configure(configure).ValidateOnStart();

        // Which clustering is wired has to be known now; whatever is wrong with the options is told at the start, all at once.
        var options = new GranaryClientOptions();
        configure(options);
        services.AddSingleton<GatewayLosses>();
        services.AddOptions<ClientConnectionOptions>().Configure<GatewayLosses>(static (connections, losses) => connections.ConfigureConnection(losses.Watch));
        services.AddOrleansClient(client => Configure(client, options));
        services.TryAddSingleton<IGranaryClient>(provider => new GranaryClient(
            provider.GetRequiredService<IClusterClient>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<IOptions<GranaryClientOptions>>().Value.RetryFor,
            provider.GetRequiredService<GatewayLosses>(),
            provider.GetRequiredService<ILogger<GranaryClient>>()));
        return services;
    }

    private static void Configure(IClientBuilder client, GranaryClientOptions options)
    {
        var address = ClusterAddress.TryParse(options.Cluster, out var parsed) ? parsed : new ClusterAddress(null, 1, null);
        client.Configure<ClusterOptions>(cluster =>
        {
            cluster.ClusterId = options.ClusterId;
            cluster.ServiceId = address.Service ?? options.ServiceId;
        });
        client.Configure<GatewayOptions>(gateway => gateway.GatewayListRefreshPeriod = options.GatewayRefresh);
        client.Configure<ClientMessagingOptions>(messaging =>
        {
            messaging.ResponseTimeout = options.ResponseTimeout;
            messaging.CancelRequestOnTimeout = true;
        });
        client.Services.AddSingleton<IClientConnectionRetryFilter>(provider =>
            new BoundedConnectionRetry(options, provider.GetRequiredService<TimeProvider>()));
        if (address.Host is null)
        {
            client.UseStaticClustering(new IPEndPoint(IPAddress.Loopback, address.Port));
        }
        else
        {
            var redis = new ConfigurationOptions { ConnectTimeout = (int)Math.Min(options.ConnectTimeout.TotalMilliseconds, 5000) };
            redis.EndPoints.Add(address.Host, address.Port);
            client.UseRedisClustering(clustering => clustering.ConfigurationOptions = redis);
        }
    }
}
