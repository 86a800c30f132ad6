using System.Globalization;
using Granary.Bench.Common;
using Granary.Client;
using Granary.Contexts;
using Granary.Silo;
using Granary.Storage.Objects;
using Granary.Testing.Processes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Granary.Bench.Ask.Silos;

/// <summary>Silos and a client of theirs: one in this process, or some in processes of their own.</summary>
internal sealed class BenchCluster : IAsyncDisposable
{
    public const string ModelId = "bench";

    private static readonly TimeSpan MostStart = TimeSpan.FromSeconds(60);
    private readonly IHost _host;
    private readonly List<ChildProcess> _silos;

    private BenchCluster(IHost host, List<ChildProcess> silos) => (_host, _silos) = (host, silos);

    public IGranaryClient Client => _host.Services.GetRequiredService<IGranaryClient>();

    /// <summary>Gets the hand inside the silo; of several, in any.</summary>
    public IEngineGrain Engine => _host.Services.GetRequiredService<IGrainFactory>().GetGrain<IEngineGrain>(0);

    /// <summary>Starts a silo in this process.</summary>
    public static async Task<BenchCluster> StartEmbeddedAsync(string model, int threads, IObjectStore store, CancellationToken cancellationToken)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        SiloHost.AddPacedTime(builder.Services);
        builder.AddGranaryEmbedded(new GranaryOptions { Models = { [ModelId] = new() { Path = model } }, Engine = { Threads = threads } }, store);
        return await StartAsync(builder.Build(), [], cancellationToken);
    }

    /// <summary>Starts silos in processes of their own, and connects to them over loopback.</summary>
    /// <param name="model">The checkpoint.</param>
    /// <param name="threads">Of each silo's engine.</param>
    /// <param name="store">A folder.</param>
    /// <param name="redis">The cluster's address; <see langword="null"/> for one silo alone.</param>
    /// <param name="count">How many.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<BenchCluster> StartProcessesAsync(string model, int threads, string store, string? redis, int count, CancellationToken cancellationToken)
    {
        var silos = new List<ChildProcess>();
        try
        {
            var gateway = 0;
            for (var silo = 0; silo < count; silo++)
            {
                silos.Add(ChildProcess.Start(Environment.ProcessPath!, ["silo"], new Dictionary<string, string?>
                {
                    ["Granary__Store"] = store,
                    ["Granary__Cluster"] = redis ?? "localhost",
                    ["Granary__Engine__Threads"] = threads.ToString(CultureInfo.InvariantCulture),
                    ["Granary__Silo__Port"] = "0",
                    ["Granary__Silo__GatewayPort"] = "0",
                    [$"Granary__Models__{ModelId}__Path"] = model,
                }));
                var ready = await silos[^1].WaitForLineAsync(static line => line.StartsWith(SiloHost.Ready, StringComparison.Ordinal), MostStart, cancellationToken);
                gateway = int.Parse(ready[SiloHost.Ready.Length..], CultureInfo.InvariantCulture);
            }

            var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
            builder.Services.AddGranaryClient(options => options.Cluster = redis ?? string.Create(CultureInfo.InvariantCulture, $"localhost:{gateway}"));
            return await StartAsync(builder.Build(), silos, cancellationToken);
        }
        catch (Exception e) when (e is InvalidOperationException or TimeoutException)
        {
            await EndAsync(silos);
            throw new BenchException(e.Message, e);
        }
        catch
        {
            await EndAsync(silos);
            throw;
        }
    }

    /// <summary>Creates a context.</summary>
    public async Task<IGranaryContext> CreateAsync(string name, int[] ids, CancellationToken cancellationToken)
    {
        var context = Client.Context(ModelId, name);
        await foreach (var _ in context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(ids) }, cancellationToken))
        {
        }

        return context;
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync(CancellationToken.None);
        _host.Dispose();
        await EndAsync(_silos);
    }

    private static async Task<BenchCluster> StartAsync(IHost host, List<ChildProcess> silos, CancellationToken cancellationToken)
    {
        try
        {
            await host.StartAsync(cancellationToken);
            return new BenchCluster(host, silos);
        }
        catch
        {
            host.Dispose();
            throw;
        }
    }

    // What they store is deleted, so nothing is lost with them.
    private static async Task EndAsync(List<ChildProcess> silos)
    {
        foreach (var silo in silos)
        {
            await silo.DisposeAsync();
        }
    }
}
