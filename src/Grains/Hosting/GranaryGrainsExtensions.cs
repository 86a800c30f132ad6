using Granary.Grains.Contexts;
using Granary.Grains.Datasets;
using Granary.Grains.Draining;
using Granary.Grains.Models;
using Granary.Grains.Persistence;
using Granary.Grains.Placement;
using Granary.Grains.Planning;
using Granary.Grains.Residency;
using Granary.Grains.Silos;
using Granary.Grains.Stores;
using Granary.Inference.Engine;
using Granary.Storage.Chunks;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Storage.Specs;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Placement;
using Orleans.Runtime.Hosting;

namespace Granary.Grains.Hosting;

/// <summary>Adds the grains and what they work with to a silo.</summary>
public static class GranaryGrainsExtensions
{
    /// <summary>Adds contexts, model workers, data sets and the catalog.</summary>
    /// <param name="silo">The silo.</param>
    /// <param name="store">The object store; the caller disposes it after the silo has stopped.</param>
    /// <param name="role">What the silo hosts.</param>
    /// <returns>The silo.</returns>
    public static ISiloBuilder AddGranaryGrains(this ISiloBuilder silo, IObjectStore store, SiloRole role = SiloRole.Both)
    {
        var services = silo.Services;
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(store);
        services.AddSingleton(new ChunkStore(store));
        services.AddSingleton(new ManifestStore(store));
        services.AddSingleton<ContextSummaries>();
        services.AddSingleton(new TenantStore(store));
        services.AddSingleton(new ModelSpecStore(store));
        services.AddOptions<ResidencyOptions>().BindConfiguration("Granary:Residency").ValidateOnStart();
        services.AddSingleton<IValidateOptions<ResidencyOptions>, ResidencyOptionsValidator>();
        services.AddOptions<TenantsOptions>().BindConfiguration("Granary:Tenants").ValidateOnStart();
        services.AddSingleton<IValidateOptions<TenantsOptions>, TenantsOptionsValidator>();
        services.AddOptions<PlanOptions>().BindConfiguration("Granary:Plan").ValidateOnStart();
        services.AddSingleton<IValidateOptions<PlanOptions>, PlanOptionsValidator>();
        services.AddOptions<SharingOptions>().BindConfiguration("Granary:Sharing").ValidateOnStart();
        services.AddSingleton<IValidateOptions<SharingOptions>, SharingOptionsValidator>();
        services.AddOptions<SweepOptions>().BindConfiguration("Granary:Sweep").ValidateOnStart();
        services.AddSingleton<IValidateOptions<SweepOptions>, SweepOptionsValidator>();
        services.AddSingleton<SweepSchedule>();
        services.AddSingleton<TenantStorage>();
        services.AddOptions<ModelsOptions>().BindConfiguration("Granary:Models").ValidateOnStart();
        services.AddSingleton<IValidateOptions<ModelsOptions>, ModelsOptionsValidator>();
        services.AddOptions<EngineOptions>().BindConfiguration("Granary:Engine");
        services.AddSingleton(provider => new DeviceEngine(
            provider.GetRequiredService<IOptions<EngineOptions>>().Value,
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<DeviceEngine>>()));
        services.TryAddSingleton(new ModelLoadOptions());
        services.AddSingleton(static provider => new SiloModels(
            provider.GetRequiredService<DeviceEngine>(),
            provider.GetRequiredService<ModelSpecStore>(),
            provider.GetRequiredService<ModelLoadOptions>(),
            provider.GetRequiredService<KvRegistry>(),
            provider.GetRequiredService<PrefixPlanner>(),
            provider.GetRequiredService<ILogger<SiloModels>>()));
        services.AddSingleton<KvRegistry>();
        services.AddSingleton<ResidentContexts>();
        services.AddSingleton(provider => new ChunkProbe(store, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<PrefixPlanner>();
        services.AddSingleton<PageFiller>();
        services.AddSingleton<DatasetItemStore>();
        services.AddSingleton<SiloInventory>();
        services.AddOptions<DrainOptions>();
        services.AddSingleton(static provider => new SiloDrain(
            provider.GetRequiredService<IOptions<DrainOptions>>(), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<SiloDrain>>()));
        services.AddSingleton(new HostedRole(role));
        services.AddSingleton<ISiloInventoryClient, SiloInventoryClient>();
        services.AddGrainService<SiloInventoryService>();
        services.AddSingleton<EngineLifecycle>();
        services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(static provider => provider.GetRequiredService<EngineLifecycle>());
        services.AddGrainStorage(BlobGrainStorage.Name, static (provider, _) => new BlobGrainStorage(provider.GetRequiredService<IObjectStore>()));
        services.AddPlacementDirector<ContextPlacement, ContextPlacementDirector>();
        services.AddPlacementDirector<SiloPinnedPlacement, SiloPinnedDirector>();
        services.AddPlacementFilter<AvoidDraining, AvoidDrainingDirector>(ServiceLifetime.Singleton);
        silo.Configure<SiloMessagingOptions>(static options => options.CancelRequestOnTimeout = true);
        // By the manifest, so without the race that placement by gossip has.
        Type[] excluded = role switch
        {
            SiloRole.Front => [typeof(ContextGrain), typeof(EstimateGrain), typeof(ModelWorkerGrain)],
            SiloRole.Worker => [typeof(DatasetGrain), typeof(DatasetShardGrain), typeof(CatalogGrain), typeof(SweepGrain), typeof(ClusterGrain)],
            _ => [],
        };
        silo.Configure<GrainTypeOptions>(options => options.Classes.ExceptWith(excluded));
        return silo;
    }
}
