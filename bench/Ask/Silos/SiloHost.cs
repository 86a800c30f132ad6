using System.Globalization;
using Granary.Silo;
using Granary.Storage.Objects;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Granary.Bench.Ask.Silos;

/// <summary>A silo process of the benchmark's own: as <c>granary serve</c>, and with <see cref="IEngineGrain"/>.</summary>
internal static class SiloHost
{
    /// <summary>What a silo that has joined writes before its clients' port.</summary>
    public const string Ready = "ready ";

    /// <summary>Runs it with the settings of the environment, until it is told to stop.</summary>
    public static async Task RunAsync(CancellationToken cancellationToken)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddEnvironmentVariables();
        var options = builder.Configuration.GetSection("Granary").Get<GranaryOptions>() ?? new GranaryOptions();
        AddPacedTime(builder.Services);
        builder.AddGranarySilo(options, ObjectStores.Open(options.Store, TimeProvider.System));
        using var host = builder.Build();
        await host.StartAsync(cancellationToken);
        Console.WriteLine(Ready + host.Services.GetRequiredService<IOptions<EndpointOptions>>().Value.GatewayPort.ToString(CultureInfo.InvariantCulture));
        await host.WaitForShutdownAsync(cancellationToken);
    }

    /// <summary>Puts the clock under the silo that the benchmark sees the engine by; before the silo is added.</summary>
    public static void AddPacedTime(IServiceCollection services) => services.AddSingleton<PacedTime>().AddSingleton<TimeProvider>(static provider => provider.GetRequiredService<PacedTime>());
}
