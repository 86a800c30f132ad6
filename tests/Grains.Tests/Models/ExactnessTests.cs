using Granary.Contexts;
using Granary.Datasets;
using Granary.Grains.Tests.Hosting;
using Granary.Models;

namespace Granary.Grains.Tests.Models;

/// <summary>Where the self-test fails, everything that carries a result says so (DESIGN §3); where it passes, the same fields say that.</summary>
[Collection("Engine")]
public sealed class ExactnessTests(OneSilo steady, UnsteadySilo unsteady) : IClassFixture<OneSilo>, IClassFixture<UnsteadySilo>
{
    private static readonly string Digest = new('e', 64);
    private static readonly TokenInput Input = TokenInput.OfTokens(1, 2, 3, 4, 5);
    private static readonly TokenInput Prompt = TokenInput.OfTokens(6, 7);
    private static readonly GenerationOptions Options = new() { MaxNewTokens = 2, IgnoreEos = true };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Context_CreateAskGenerateScoreAppend_SayWhetherTheyAreExact(bool exact)
    {
        var silo = Silo(exact);
        var numerics = await NumericsAsync(silo);
        var context = silo.Context("said");

        var created = await OneSilo.CreateAsync(context, Input);
        var again = await OneSilo.CreateAsync(context, Input);
        var asked = await OneSilo.EndAsync(context.AskAsync(new AskRequest { Prompt = Prompt, Options = Options }));
        var generated = await OneSilo.EndAsync(silo.Nameless().GenerateAsync(new GenerateRequest { Context = Input, Prompt = Prompt, Options = Options }));
        var scores = await context.ScoreAsync(ScoreRequest.Of(Prompt, TokenInput.OfTokens(8))).ToListAsync(TestContext.Current.CancellationToken);
        var grown = (await context.AppendAsync(new AppendRequest { Input = Prompt }).ToListAsync(TestContext.Current.CancellationToken))[^1].Result ?? throw new InvalidOperationException("No result.");

        (string, bool)[] said =
        [
            (created.Numerics, created.Exact), (again.Numerics, again.Exact), (grown.Numerics, grown.Exact),
            (asked.Numerics, asked.Exact), (generated.Numerics, generated.Exact), .. scores.Select(static score => (score.Numerics, score.Exact)),
        ];
        Assert.True(again.Existed);
        Assert.Equal(7, said.Length);
        Assert.All(said, each => Assert.Equal((numerics, exact), each));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Models_ListedAndDescribed_SayWhetherTheyAreExact(bool exact)
    {
        var silo = Silo(exact);
        var listed = Assert.Single(await silo.Grains.GetGrain<ICatalogGrain>("default").ListModelsAsync());

        Assert.Equal((exact, true), (listed.Exact, listed.Numerics is not null));
        var described = await silo.Grains.GetGrain<IModelWorkerGrain>($"{Assert.Single(listed.Silos)}/cpu/{OneSilo.Model}").DescribeAsync();
        Assert.Equal((listed.Numerics, listed.Exact), (described.Numerics, described.Exact));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Dataset_ComputedFoundAndAsked_SaysWhetherItIsExact(bool exact)
    {
        var silo = Silo(exact);
        var dataset = silo.Grains.GetGrain<IDatasetGrain>("exactness/exactness");
        DatasetItem[] items = [new("one", "The mayor of Aldwick is Clara.", [new("q1", "\nWho?", [])]), new("two", "The herd of Kelwick is horses.", [new("q2", "\nWhat?", [])])];
        await dataset.PutItemsAsync(new PutItemsRequest { Digest = Digest, Shard = 0, Part = 0, Last = true, Items = items });

        var computed = await RunAsync();
        var found = await RunAsync();
        var answers = await dataset.AskAsync(new DatasetAskRequest { Options = Options }).ToListAsync(TestContext.Current.CancellationToken);

        Assert.Equal((2, exact), (computed.Done, computed.Exact));
        Assert.Equal((2, exact), (found.Skipped, found.Exact));
        Assert.Equal(exact, (await dataset.GetStatusAsync()).Exact);
        Assert.Equal([exact, exact], answers.Select(static answer => answer.Answer!.Exact));

        async Task<DatasetStatus> RunAsync() =>
            (await dataset.PrecomputeAsync(new PrecomputeRequest { Digest = Digest, Model = OneSilo.Model, Items = items.Length }).ToListAsync(TestContext.Current.CancellationToken))[^1];
    }

    [Fact]
    public async Task Numerics_OfTheSiloThatFailed_AreOthers() => Assert.NotEqual(await NumericsAsync(steady), await NumericsAsync(unsteady));

    private OneSilo Silo(bool exact) => exact ? steady : unsteady;

    private static async Task<string> NumericsAsync(OneSilo silo) =>
        Assert.Single(await silo.Grains.GetGrain<ICatalogGrain>("default").ListModelsAsync()).Numerics ?? throw new InvalidOperationException("Nobody serves the model.");
}
