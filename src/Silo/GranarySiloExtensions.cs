using System.Net;
using System.Net.Sockets;
using Granary.Client.Connection;
using Granary.Grains.Draining;
using Granary.Grains.Hosting;
using Granary.Inference.Engine;
using Granary.Silo.Hosting;
using Granary.Storage.Objects;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using StackExchange.Redis;

namespace Granary.Silo;

/// <summary>Wires a silo into a host.</summary>
public static class GranarySiloExtensions
{
    // After the streams: the silo leaves the membership, and its engine and its connections stop.
    private static readonly TimeSpan MostStop = TimeSpan.FromSeconds(35);

    /// <summary>Adds a silo, which is drained before it stops.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="options">The silo's settings.</param>
    /// <param name="store">The object store.</param>
    /// <returns>The host.</returns>
    public static IHostApplicationBuilder AddGranarySilo(this IHostApplicationBuilder builder, GranaryOptions options, IObjectStore store)
    {
        builder.AddSilo(options, store);
        builder.Services.Configure<DrainOptions>(drain => drain.Timeout = options.Silo.DrainTimeout);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.Silo.DrainTimeout + MostStop);
        builder.Services.AddHostedService<DrainingStop>();
        return builder;
    }

    /// <summary>Adds a silo that stops at once.</summary>
    internal static IHostApplicationBuilder AddSilo(this IHostApplicationBuilder builder, GranaryOptions options, IObjectStore store)
    {
        var services = builder.Services;
        services.AddOptions<GranaryOptions>().ValidateOnStart();
        services.AddSingleton(Options.Create(options));
        services.AddSingleton<IValidateOptions<GranaryOptions>, GranaryOptionsValidator>();
        GranaryOptionsValidator.Check(options);
        services.Configure<EngineOptions>(engine => (engine.Threads, engine.QueueCapacity) = (options.Engine.Threads, options.Engine.QueueCapacity));
        return builder.UseOrleans(silo =>
        {
            var name = options.Silo.Name ?? $"{Environment.MachineName}-{Environment.ProcessId}";
            silo.Configure<SiloOptions>(o => o.SiloName = name);
            if (options.Cluster == "localhost")
            {
                var (port, gateway) = PortsOf(options.Silo);
                silo.UseLocalhostClustering(port, gateway, serviceId: options.ServiceId, clusterId: options.ClusterId);
                silo.UseInMemoryReminderService();
            }
            else
            {
                UseRedis(silo, options);
            }

            // Client and silo share it: a stream's sign of life comes at half of the silo's, and the client gives up at its own.
            silo.Configure<SiloMessagingOptions>(o => o.ResponseTimeout = options.Silo.ResponseTimeout);
            silo.Configure<ClientMessagingOptions>(o => o.ResponseTimeout = options.Silo.ResponseTimeout);
            silo.Configure<ClusterMembershipOptions>(o => Apply(options.Silo, o));
            silo.AddGranaryGrains(store, options.Role);
        });
    }

    private static void Apply(GranarySiloOptions silo, ClusterMembershipOptions membership)
    {
        membership.ProbeTimeout = silo.ProbeTimeout;
        membership.NumMissedProbesLimit = silo.MissedProbes;
        membership.NumVotesForDeathDeclaration = silo.DeathVotes;
        membership.EnableIndirectProbes = silo.DeathVotes > 1; // where one vote decides, no third silo's probe is waited for: it may be the next that dies
        membership.TableRefreshTimeout = silo.MembershipRefresh;
        if (silo.MembershipRefresh < membership.IAmAliveTablePublishTimeout)
        {
            membership.IAmAliveTablePublishTimeout = silo.MembershipRefresh;
        }
    }

    private static void UseRedis(ISiloBuilder silo, GranaryOptions options)
    {
        // The validator has seen it.
        var cluster = ClusterAddress.TryParse(options.Cluster, out var parsed) ? parsed : throw new System.Diagnostics.UnreachableException(options.Cluster);
        var redis = new ConfigurationOptions { EndPoints = { { cluster.Host!, cluster.Port } }, AbortOnConnectFail = true };
        silo.Configure<ClusterOptions>(o => (o.ClusterId, o.ServiceId) = (options.ClusterId, cluster.Service ?? options.ServiceId));

        // Clients that are told to take another gateway have calls under way in this one: a stream's sign of life comes at half of the time.
        silo.Configure<SiloMessagingOptions>(o => o.ClientGatewayShutdownNotificationTimeout = options.Silo.ResponseTimeout / 2);
        silo.UseRedisClustering(o => o.ConfigurationOptions = redis);
        silo.UseRedisReminderService(o => o.ConfigurationOptions = redis);
        var (port, gateway) = PortsOf(options.Silo);
        silo.ConfigureEndpoints(IPAddress.Parse(options.Silo.Address), port, gateway);
#pragma warning disable ORLEANSEXP003 // The default directory loses acknowledged writes at a graceful shutdown (measured, cluster-measurements §0); this one does not.
        silo.AddDistributedGrainDirectory();
#pragma warning restore ORLEANSEXP003
        silo.Configure<GrainDirectoryOptions>(o => o.RangeLeaseDuration = TimeSpan.FromSeconds(5));
    }

    private static (int Port, int Gateway) PortsOf(GranarySiloOptions options)
    {
        using var first = new TcpListener(IPAddress.Loopback, 0);
        using var second = new TcpListener(IPAddress.Loopback, 0);
        first.Start();
        second.Start();
        return (
            options.Port > 0 ? options.Port : ((IPEndPoint)first.LocalEndpoint).Port,
            options.GatewayPort > 0 ? options.GatewayPort : ((IPEndPoint)second.LocalEndpoint).Port);
    }
}
