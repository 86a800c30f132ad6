using Granary.Client;
using Granary.Grains.Hosting;
using Granary.Silo;
using Granary.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Granary.Cluster.Tests.Processes;

/// <summary>A silo inside this very process, as a tool has it, with the bundled model and the settings of <see cref="CommandRun.Environment"/>.</summary>
internal sealed class EmbeddedSilo : IAsyncDisposable
{
    private readonly IHost _host;

    private EmbeddedSilo(IHost host) => _host = host;

    /// <summary>Starts one.</summary>
    /// <param name="store">Where it stores.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<EmbeddedSilo> StartAsync(string store, CancellationToken cancellationToken)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddInMemoryCollection(CommandRun.Environment.Select(static variable => KeyValuePair.Create(variable.Key.Replace("__", ":", StringComparison.Ordinal), variable.Value)));
        builder.AddGranaryEmbedded(options =>
        {
            options.Store = store;
            options.Models["ledger-4m"] = new ModelOptions { Path = Repository.GetPath("models/ledger-4m") };
        });
        var silo = new EmbeddedSilo(builder.Build());
        try
        {
            await silo._host.StartAsync(cancellationToken);
            return silo;
        }
        catch
        {
            silo._host.Dispose();
            throw;
        }
    }

    /// <summary>Gets its client.</summary>
    public IGranaryClient Client => _host.Services.GetRequiredService<IGranaryClient>();

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }
}
