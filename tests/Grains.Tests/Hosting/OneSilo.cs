using Granary.Contexts;
using Granary.Grains.Contexts;
using Granary.Grains.Hosting;
using Granary.Grains.Models;
using Granary.Grains.Planning;
using Granary.Grains.Residency;
using Granary.Grains.Stores;
using Granary.Inference.Engine;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.TestingHost;

namespace Granary.Grains.Tests.Hosting;

/// <summary>One silo in this process on a store in memory, serving the sample model.</summary>
public class OneSilo : IAsyncLifetime
{
    public const string Model = "ledger-4m";

    private InProcessTestCluster? _cluster;

    /// <summary>Gets the store, which outlives restarts.</summary>
    public virtual IObjectStore Store { get; } = new InMemoryObjectStore(TimeProvider.System);

    /// <summary>Gets the silo's clock.</summary>
    protected virtual TimeProvider Time => TimeProvider.System;

    /// <summary>Gets the KV budget; <see langword="null"/> for the default.</summary>
    protected virtual long? BudgetBytes => null;

    /// <summary>Gets what the sample model runs in.</summary>
    protected virtual string Dtype => "float32";

    /// <summary>Gets the most ids that a manifest keeps itself.</summary>
    protected virtual int MostInlineTokenIds => ManifestStore.MostInlineTokenIds;

    /// <summary>Gets how KV is stored, and held.</summary>
    protected virtual string Codec => "none";

    /// <summary>Gets how asks are planned. The sample's contexts are computed about as quickly as they are loaded: which way an answer came must not depend on the machine.</summary>
    protected virtual string Plan => "load";

    /// <summary>Gets how models are loaded.</summary>
    private protected virtual ModelLoadOptions Loading { get; } = new();

    public IGrainFactory Grains => _cluster!.Client;

    internal KvRegistry Registry => Services.GetRequiredService<KvRegistry>();

    private IServiceProvider Services => _cluster!.GetSiloServiceProvider(_cluster.Silos[0].SiloAddress);

    private protected T Service<T>()
        where T : notnull => Services.GetRequiredService<T>();

    public virtual async ValueTask InitializeAsync()
    {
        var builder = new InProcessTestClusterBuilder(1);
        builder.Options.ConfigureFileLogging = false;
        builder.Options.AssumeHomogenousSilosForTesting = false;
        builder.ConfigureHost(host => host.Logging.ClearProviders());
        builder.ConfigureSilo((_, silo) =>
        {
            silo.UseInMemoryReminderService();
            silo.Services.AddSingleton(Time);
            silo.Services.AddSingleton(Loading);
            silo.AddGranaryGrains(Store);
            silo.Services.AddSingleton(new ManifestStore(Store, MostInlineTokenIds));
            silo.Services.Configure<ResidencyOptions>(options => options.BudgetBytes = BudgetBytes);
            silo.Services.Configure<EngineOptions>(Configure);
            silo.Services.Configure<SweepOptions>(Configure);
            silo.Services.Configure<SharingOptions>(Configure);
            silo.Services.Configure<TenantsOptions>(Configure);
            silo.Services.Configure<PlanOptions>(options => options.Default = Plan);
        });
        _cluster = builder.Build();
        await _cluster.DeployAsync();
        await Services.GetRequiredService<SiloModels>().LoadAsync(
            Model, new ModelOptions { Path = Path.Combine(Repository.Root, "models", Model), Dtype = Dtype, Codec = Codec }, TestContext.Current.CancellationToken);
    }

    /// <summary>Sets up the engine.</summary>
    protected virtual void Configure(EngineOptions options)
    {
    }

    /// <summary>Sets up the sweeps.</summary>
    protected virtual void Configure(SweepOptions options)
    {
    }

    /// <summary>Sets up which tenants share.</summary>
    protected virtual void Configure(SharingOptions options)
    {
    }

    /// <summary>Sets up what tenants may have.</summary>
    protected virtual void Configure(TenantsOptions options)
    {
    }

    public virtual async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }

        GC.SuppressFinalize(this);
    }

    /// <summary>Stops the silo and starts another on the same store.</summary>
    public async Task RestartAsync()
    {
        await _cluster!.DisposeAsync();
        await InitializeAsync();
    }

    /// <summary>Ends all activations that do nothing, so that what they know is read again.</summary>
    public Task DeactivateAllAsync() => Grains.GetGrain<IManagementGrain>(0).ForceActivationCollection(TimeSpan.Zero);

    public IContextGrain Context(string name, string tenant = "default") =>
        Grains.GetGrain<IContextGrain>(new ContextId(tenant, Model, name).ToString());

    public IContextGrain Nameless() => Grains.GetGrain<IContextGrain>($"default/{Model}/~{Guid.NewGuid():N}");

    /// <summary>Draws ids that the sample model knows.</summary>
    public static int[] Ids(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(1, 2048))];
    }

    public static async Task<ContextCreated> CreateAsync(IContextGrain context, TokenInput input, Action<CreateContextRequest>? check = null)
    {
        var request = new CreateContextRequest { Input = input };
        check?.Invoke(request);
        ContextCreated? created = null;
        await foreach (var progress in context.CreateAsync(request, TestContext.Current.CancellationToken))
        {
            created = progress.Result;
        }

        return created!;
    }

    public static async Task<Answer> EndAsync(IAsyncEnumerable<AnswerPart> parts)
    {
        Answer? answer = null;
        await foreach (var part in parts)
        {
            answer = part.Answer;
        }

        return answer!;
    }
}
