using System.Buffers;
using Granary.Errors;
using Granary.Grains.Hosting;
using Granary.Grains.Models;
using Granary.Grains.Planning;
using Granary.Grains.Residency;
using Granary.Grains.Tests.Hosting;
using Granary.Inference.Engine;
using Granary.Inference.Tests.Engine;
using Granary.Storage.Chunks;
using Granary.Storage.Objects;
using Granary.Storage.Specs;
using Granary.Testing;
using Granary.Testing.Stores;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Tests.Models;

/// <summary>What loading a model says, and that what may not be served is not kept.</summary>
[Collection("Engine")]
public sealed class SiloModelsTests : IDisposable
{
    private static readonly string SampleModel = Repository.GetPath($"models/{OneSilo.Model}");
    private readonly string _cache = Directory.CreateTempSubdirectory("granary-silo-models-").FullName;

    public void Dispose() => Directory.Delete(_cache, recursive: true);

    [Fact]
    public async Task LoadAsync_SelfTestFails_WarnsWithAnIdOfItsOwn()
    {
        var log = await LoadAsync(UnsteadyModel.Options(_cache));

        var (level, _, text) = Assert.Single(log.Entries, static entry => entry.Id == 3031);
        Assert.Equal(LogLevel.Warning, level);
        Assert.Contains(OneSilo.Model, text, StringComparison.Ordinal);
        Assert.Contains("granary model info", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task LoadAsync_SelfTestPasses_TellsItsTimeAndWarnsOfNothing()
    {
        var log = await LoadAsync(UnsteadyModel.Options(_cache) with { Prepare = static model => model });

        var (level, id, text) = Assert.Single(log.Entries);
        Assert.Equal((LogLevel.Information, 3030), (level, id));
        Assert.Matches(@"loaded in \d+\.\d\d s, self-test \d+\.\d\d s of these", text);
    }

    [Fact]
    public async Task LoadAsync_IdOfAnotherContent_IsRefusedAndUnmapped()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var specs = new ModelSpecStore(new InMemoryObjectStore(TimeProvider.System));
        await using var engine = new DeviceEngine(new EngineOptions { Threads = 1 }, TimeProvider.System, NullLogger.Instance);
        await using var planner = Planner();
        var first = new SiloModels(engine, specs, new ModelLoadOptions(), Registry(), planner, NullLogger<SiloModels>.Instance);
        await first.LoadAsync("taken", Sample("float32"), cancellationToken);
        var mapped = Mappings();
        var second = new SiloModels(engine, specs, new ModelLoadOptions(), Registry(), planner, NullLogger<SiloModels>.Instance);

        var refused = await Assert.ThrowsAsync<GranaryException>(() => second.LoadAsync("taken", Sample("bfloat16"), cancellationToken));

        Assert.Equal(ErrorCodes.ModelSpecConflict, refused.Code);
        Assert.Empty(second.Ids);
        Assert.Equal(mapped, Mappings());
    }

    [Fact]
    public async Task LoadAsync_GivenUpBeforeItIsServed_IsUnmappedAndLoadsAgain()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        using var source = new CancellationTokenSource();
        var specs = new ModelSpecStore(new CancellingStore(source));
        await using var engine = new DeviceEngine(new EngineOptions { Threads = 1 }, TimeProvider.System, NullLogger.Instance);
        await using var planner = Planner();
        var models = new SiloModels(engine, specs, new ModelLoadOptions(), Registry(), planner, NullLogger<SiloModels>.Instance);
        var mapped = Mappings();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => models.LoadAsync(OneSilo.Model, Sample("float32"), source.Token));

        Assert.Empty(models.Ids);
        Assert.Equal(mapped, Mappings());
        await models.LoadAsync(OneSilo.Model, Sample("float32"), cancellationToken);
        Assert.Equal([OneSilo.Model], models.Ids);
    }

    private static ModelOptions Sample(string dtype) => new() { Path = SampleModel, Dtype = dtype };

    private static PrefixPlanner Planner() => new(
        new ChunkProbe(new InMemoryObjectStore(TimeProvider.System), TimeProvider.System),
        Registry(),
        Options.Create(new PlanOptions()),
        TimeProvider.System,
        NullLogger<PrefixPlanner>.Instance);

    private static KvRegistry Registry() => new(Options.Create(new ResidencyOptions()), Options.Create(new TenantsOptions()), TimeProvider.System, NullLogger<KvRegistry>.Instance);

    private static int Mappings() => File.ReadLines("/proc/self/maps").Count(line => line.Contains(SampleModel, StringComparison.Ordinal));

    private static async Task<KeptLog> LoadAsync(ModelLoadOptions options)
    {
        var log = new KeptLog();
        await using var engine = new DeviceEngine(new EngineOptions { Threads = 1 }, TimeProvider.System, NullLogger.Instance);
        await using var planner = Planner();
        var models = new SiloModels(engine, new ModelSpecStore(new InMemoryObjectStore(TimeProvider.System)), options, Registry(), planner, log);
        await models.LoadAsync(OneSilo.Model, Sample("float32"), TestContext.Current.CancellationToken);
        return log;
    }

    /// <summary>Cancels once something was put, when the model's spec is in the store and its speed is not measured yet.</summary>
    private sealed class CancellingStore(CancellationTokenSource source) : DelegatingStore(new InMemoryObjectStore(TimeProvider.System))
    {
        public override async Task<ObjectVersion> PutAsync(string key, ReadOnlySequence<byte> content, Precondition precondition, CancellationToken cancellationToken)
        {
            var version = await base.PutAsync(key, content, precondition, cancellationToken);
            await source.CancelAsync();
            return version;
        }
    }

    private sealed class KeptLog : ILogger<SiloModels>
    {
        public List<(LogLevel Level, int Id, string Text)> Entries { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Entries.Add((logLevel, eventId.Id, formatter(state, exception)));
    }
}
