using Granary.Contexts;
using Granary.Grains.Draining;
using Granary.Grains.Hosting;
using Granary.Grains.Models;
using Granary.Grains.Placement;
using Granary.Grains.Planning;
using Granary.Grains.Residency;
using Granary.Grains.Tests.Contexts;
using Granary.Inference.Engine;
using Granary.Storage.Objects;
using Granary.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.TestingHost;

namespace Granary.Grains.Tests.Hosting;

/// <summary>Silos of one cluster in this process, on one store in memory. Each serves what it is told to load.</summary>
public sealed class SeveralSilos : IAsyncDisposable
{
    private readonly InProcessTestCluster _cluster;

    private SeveralSilos(InProcessTestCluster cluster) => _cluster = cluster;

    public IGrainFactory Grains => _cluster.Client;

    /// <summary>Starts silos.</summary>
    /// <param name="count">How many.</param>
    /// <param name="drainTimeout">How long their streams may go on.</param>
    /// <param name="model">What all of them serve; null for nothing.</param>
    public static async Task<SeveralSilos> StartAsync(short count, TimeSpan? drainTimeout = null, string? model = OneSilo.Model)
    {
        var store = new InMemoryObjectStore(TimeProvider.System);
        var builder = new InProcessTestClusterBuilder(count);
        builder.Options.ConfigureFileLogging = false;
        builder.Options.AssumeHomogenousSilosForTesting = false;
        builder.ConfigureHost(host => host.Logging.ClearProviders());
        builder.ConfigureSilo((_, silo) =>
        {
            silo.UseInMemoryReminderService();
            silo.AddGranaryGrains(store);
            silo.Services.Configure<EngineOptions>(static options => options.Threads = 1);
            silo.Services.Configure<PlanOptions>(static options => options.Default = "load");
            silo.Services.Configure<ResidencyOptions>(static options => options.BudgetBytes = 1 << 30);
            silo.Services.Configure<DrainOptions>(options => options.Timeout = drainTimeout ?? options.Timeout);
        });
        var silos = new SeveralSilos(builder.Build());
        await silos._cluster.DeployAsync();
        if (model is not null)
        {
            for (var index = 0; index < count; index++)
            {
                await silos.LoadAsync(index, model);
            }
        }

        return silos;
    }

    /// <summary>Starts one more, which serves the sample model.</summary>
    public async Task<int> JoinAsync()
    {
        await _cluster.StartAdditionalSiloAsync();
        await LoadAsync(_cluster.Silos.Count - 1, OneSilo.Model);
        return _cluster.Silos.Count - 1;
    }

    /// <summary>Loads the sample model under an id, and waits until every silo knows.</summary>
    public async Task LoadAsync(int index, string id)
    {
        await Service<SiloModels>(index).LoadAsync(id, new ModelOptions { Path = Path.Combine(Repository.Root, "models", OneSilo.Model) }, TestContext.Current.CancellationToken);
        var loaded = _cluster.Silos[index].SiloAddress;
        await Wait.UntilAsync(
            () => Enumerable.Range(0, _cluster.Silos.Count).All(other => Service<SiloInventory>(other).Serves(loaded, id)), $"Not every silo knows that silo {index} serves '{id}'.");
    }

    public IContextGrain Context(string name, string model = OneSilo.Model) => Grains.GetGrain<IContextGrain>(new ContextId("default", model, name).ToString());

    /// <summary>Counts the contexts that are resident on each silo.</summary>
    public int[] CountContexts() => [.. Enumerable.Range(0, _cluster.Silos.Count).Select(index => Service<ResidentContexts>(index).List().Length)];

    /// <summary>Finds the silo that a context is resident on.</summary>
    public int Find(IContextGrain context) =>
        Enumerable.Range(0, _cluster.Silos.Count).Single(index => Service<ResidentContexts>(index).List().Contains(context.GetPrimaryKeyString()));

    /// <summary>Finds the silo that a grain is active on.</summary>
    public async Task<int> FindActiveAsync(IAddressable grain)
    {
        var address = await Grains.GetGrain<IManagementGrain>(0).GetActivationAddress(grain);
        return Enumerable.Range(0, _cluster.Silos.Count).Single(index => _cluster.Silos[index].SiloAddress.Equals(address));
    }

    internal string NameOf(int index) => _cluster.Silos[index].Name;

    internal T Service<T>(int index)
        where T : notnull => _cluster.GetSiloServiceProvider(_cluster.Silos[index].SiloAddress).GetRequiredService<T>();

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();
}
