using Granary.Client;
using Granary.Client.Contexts;
using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Hosting;
using Granary.Testing;

namespace Granary.Silo.Tests.Embedded;

public sealed class EmbeddedGranaryTests : IDisposable
{
    private static readonly string SampleModel = Path.Combine(Repository.Root, "models", "ledger-4m");
    private readonly string _store = Directory.CreateTempSubdirectory("granary-silo-tests-").FullName;

    [Fact]
    public async Task LoadModelAsync_RunningSilo_ServesItAtOnce()
    {
        await using var silo = await StartAsync();
        await silo.LoadModelAsync("ledger-4m", SampleModel, "float32", "none", TestContext.Current.CancellationToken);
        var answer = await CreateAndAskAsync(silo.Client);
        Assert.Equal(4, answer.TokenIds.Length);
        Assert.Equal("ledger-4m", Assert.Single(await silo.Client.ListModelsAsync()).Model);
    }

    [Fact]
    public async Task StartAsync_TwoSilosOnOneFolder_ShareContexts()
    {
        await using var first = await StartAsync();
        await using var second = await StartAsync();
        await first.LoadModelAsync("ledger-4m", SampleModel, "float32", "none", TestContext.Current.CancellationToken);
        await second.LoadModelAsync("ledger-4m", SampleModel, "float32", "none", TestContext.Current.CancellationToken);
        var made = await CreateAndAskAsync(first.Client);
        var found = await second.Client.Context("ledger-4m", "c").AskToEndAsync(Ask, TestContext.Current.CancellationToken);
        Assert.Equal("load", found.Plan.Decision);
        Assert.Equal(made.LogProbabilities, found.LogProbabilities);
    }

    [Fact, Trait("Invariant", "4")]
    public async Task AskAsync_AnotherSiloDeletedTheContext_IsNoticedWithinASecond()
    {
        await using var first = await StartAsync();
        await using var second = await StartAsync();
        await first.LoadModelAsync("ledger-4m", SampleModel, "float32", "none", TestContext.Current.CancellationToken);
        await second.LoadModelAsync("ledger-4m", SampleModel, "float32", "none", TestContext.Current.CancellationToken);
        await CreateAndAskAsync(first.Client);
        await second.Client.Context("ledger-4m", "c").DeleteAsync(TestContext.Current.CancellationToken);
        await Task.Delay(TimeSpan.FromSeconds(1.05), TimeProvider.System, TestContext.Current.CancellationToken); // the bound itself is what is tested
        var error = await Assert.ThrowsAsync<GranaryException>(() => first.Client.Context("ledger-4m", "c").AskToEndAsync(Ask, TestContext.Current.CancellationToken));
        Assert.Equal(ErrorCodes.ContextNotFound, error.Code);
    }

    [Fact]
    public async Task LoadModelAsync_SameIdOtherDtype_IsAConflict()
    {
        await using var silo = await StartAsync();
        await silo.LoadModelAsync("ledger-4m", SampleModel, "float32", "none", TestContext.Current.CancellationToken);
        await using var other = await StartAsync();
        var error = await Assert.ThrowsAsync<GranaryException>(() => other.LoadModelAsync("ledger-4m", SampleModel, "bfloat16", "none", TestContext.Current.CancellationToken));
        Assert.Equal(ErrorCodes.ModelSpecConflict, error.Code);
    }

    [Fact]
    public async Task StartAsync_ConfiguredModelIsMissing_SaysWhichFolder()
    {
        var options = new GranaryOptions { Store = _store, Models = { ["gone"] = new ModelOptions { Path = "/no/such/folder" } } };
        var error = await Assert.ThrowsAsync<GranaryException>(() => EmbeddedGranary.StartAsync(options, null, null, TestContext.Current.CancellationToken));
        Assert.Equal(ErrorCodes.ModelNotFound, error.Code);
        Assert.Contains("/no/such/folder", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AskAsync_ModelThatNobodyServes_IsRefusedAsNoWorker()
    {
        await using var silo = await StartAsync();
        var error = await Assert.ThrowsAsync<GranaryException>(() => silo.Client.Context("ledger-4m", "c").GetAsync(TestContext.Current.CancellationToken));
        Assert.Equal(ErrorCodes.NoWorker, error.Code);
    }

    public void Dispose() => Directory.Delete(_store, recursive: true);

    private static AskRequest Ask => new()
    {
        Prompt = TokenInput.OfText(" The miller is"),
        Plan = PlanChoice.Load,
        Options = new GenerationOptions { MaxNewTokens = 4, IgnoreEos = true, LogProbabilities = true },
    };

    private Task<EmbeddedGranary> StartAsync() => EmbeddedGranary.StartAsync(new GranaryOptions { Store = _store }, null, null, TestContext.Current.CancellationToken);

    private static async Task<Answer> CreateAndAskAsync(IGranaryClient client)
    {
        var context = client.Context("ledger-4m", "c");
        await foreach (var progress in context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfText("The miller of Wesby is Nils.") }, TestContext.Current.CancellationToken))
        {
            Assert.InRange(progress.DoneTokens, 0, progress.TotalTokens);
        }

        return await context.AskToEndAsync(Ask, TestContext.Current.CancellationToken);
    }
}
