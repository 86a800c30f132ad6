using Granary.Contexts;
using Granary.Datasets;
using Granary.Errors;
using Granary.Grains.Draining;
using Granary.Grains.Residency;
using Granary.Grains.Tests.Contexts;
using Granary.Grains.Tests.Hosting;
using Granary.Silos;

namespace Granary.Grains.Tests.Draining;

[Collection("Engine")]
public sealed class SiloDrainTests
{
    private static readonly TimeSpan MostDrain = TimeSpan.FromSeconds(20);
    private static readonly GenerationOptions Long = new() { MaxNewTokens = 200, IgnoreEos = true };

    [Fact]
    public async Task DrainAsync_StreamIsOpen_EndsItHereAndServesTheRestElsewhere()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var silos = await SeveralSilos.StartAsync(2);
        var contexts = await CreateAsync(silos, 12);
        var asked = contexts[0];
        var leaving = silos.Find(asked);
        var moved = contexts.Where(context => silos.Find(context) == leaving).Skip(1).ToArray();
        Assert.NotEmpty(moved);
        var expected = await OneSilo.EndAsync(asked.AskAsync(Ask(Long), cancellationToken));
        await using var parts = asked.AskAsync(Ask(Long), cancellationToken).GetAsyncEnumerator(cancellationToken);
        Assert.True(await parts.MoveNextAsync());

        var drain = silos.Service<SiloDrain>(leaving);
        var drained = drain.DrainAsync();
        await Wait.UntilAsync(() => drain.Contexts == 1, "What nobody reads is still there.");
        foreach (var context in moved)
        {
            await OneSilo.EndAsync(context.AskAsync(Ask(new GenerationOptions { MaxNewTokens = 1 }), cancellationToken));
            Assert.Equal(1 - leaving, silos.Find(context));
        }

        Assert.Equal((false, 1, 1), (drained.IsCompleted, drain.Streams, drain.Contexts));
        Answer? answer = null;
        while (await parts.MoveNextAsync())
        {
            answer = parts.Current.Answer;
        }

        Assert.Equal(expected.TokenIds, answer!.TokenIds);
        await drained.WaitAsync(MostDrain, cancellationToken);
        Assert.Equal((0, 0), (drain.Streams, drain.Contexts));
        Assert.Equal(expected.TokenIds, (await OneSilo.EndAsync(asked.AskAsync(Ask(Long), cancellationToken))).TokenIds);
        await CreateAsync(silos, 10, "late");
        Assert.Equal(0, silos.CountContexts()[leaving]);
    }

    [Fact]
    public async Task DrainAsync_StreamOutlivesTheTimeout_IsBrokenOff()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var silos = await SeveralSilos.StartAsync(2, TimeSpan.FromSeconds(0.5));
        var context = (await CreateAsync(silos, 1))[0];
        var leaving = silos.Find(context);
        await using var parts = context.AskAsync(Ask(Long), cancellationToken).GetAsyncEnumerator(cancellationToken);
        Assert.True(await parts.MoveNextAsync());

        await silos.Service<SiloDrain>(leaving).DrainAsync().WaitAsync(MostDrain, cancellationToken);

        Assert.Equal(0, silos.Service<SiloDrain>(leaving).Contexts);
        await Assert.ThrowsAsync<EnumerationAbortedException>(async () =>
        {
            while (await parts.MoveNextAsync())
            {
            }
        });
        Assert.Equal(200, (await OneSilo.EndAsync(context.AskAsync(Ask(Long), cancellationToken))).TokenIds.Length);
        Assert.Equal(1 - leaving, silos.Find(context));
    }

    [Fact, Trait("Invariant", "8")]
    public async Task DrainAsync_CallersOfACreationHaveLeft_WaitsForIt()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var silos = await SeveralSilos.StartAsync(2);
        var context = silos.Context("alone");
        await foreach (var progress in context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(OneSilo.Ids(1900, seed: 3)) }, cancellationToken))
        {
            Assert.Equal(ContextStage.Accepted, progress.Stage);
            break;
        }

        var leaving = silos.Service<SiloDrain>(0).Contexts == 1 ? 0 : 1;
        await silos.Service<SiloDrain>(leaving).DrainAsync().WaitAsync(MostDrain, cancellationToken);

        await Wait.UntilAsync(() => silos.Service<SiloDrain>(leaving).Contexts == 0, "The context is still there.");
        Assert.Equal("stored", (await context.GetAsync()).State);
        Assert.Equal(0, silos.Service<KvRegistry>(1 - leaving).Budget.UsedBytes);
    }

    [Fact]
    public async Task DrainAsync_ShardWorksHere_EndsWhatItHasBegunAndGoesOnElsewhere()
    {
        const int Items = 40;
        var digest = new string('d', 64);
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var silos = await SeveralSilos.StartAsync(2);
        var dataset = silos.Grains.GetGrain<IDatasetGrain>("default/moving");
        var items = Enumerable.Range(0, Items).Select(static number => new DatasetItem($"i{number}", string.Join(' ', Enumerable.Repeat($"The miller of Wesby has {number} sheep.", 30)), []));
        await dataset.PutItemsAsync(new PutItemsRequest { Digest = digest, Shard = 0, Part = 0, Last = true, Items = [.. items] });
        var shard = silos.Grains.GetGrain<IDatasetShardGrain>(DatasetId.Parse("default/moving").ShardKey(0));
        Task? drained = null;
        var leaving = -1;
        DatasetStatus? last = null;

        await foreach (var status in dataset.PrecomputeAsync(new PrecomputeRequest { Digest = digest, Model = OneSilo.Model, Items = Items }, cancellationToken))
        {
            if (status.Done > 0 && drained is null)
            {
                leaving = await silos.FindActiveAsync(shard);
                drained = silos.Service<SiloDrain>(leaving).DrainAsync();
            }

            last = status;
        }

        Assert.Equal((true, Items, 0, 0), (last!.Ended, last.Done, last.Skipped, last.Failed)); // none is done twice, none is forgotten
        await drained!.WaitAsync(MostDrain, cancellationToken);
        Assert.Equal(1 - leaving, await silos.FindActiveAsync(shard));
    }

    [Fact]
    public async Task ClusterGrain_SiloIsNamed_DrainsItAndTellsOfAll()
    {
        await using var silos = await SeveralSilos.StartAsync(2);
        var cluster = silos.Grains.GetGrain<IClusterGrain>(IClusterGrain.Key);
        await CreateAsync(silos, 6);

        var before = await cluster.ListSilosAsync();
        Assert.Equal([silos.NameOf(0), silos.NameOf(1)], before.Select(static silo => silo.Silo));
        Assert.All(before, static silo => Assert.Equal(("serving", "both", OneSilo.Model), (silo.State, silo.Role, Assert.Single(silo.Models).Model)));
        Assert.Equal(6, before.Sum(static silo => silo.Contexts));
        Assert.True(before.Sum(static silo => silo.ResidentBytes) > 0);
        var unknown = await Assert.ThrowsAsync<GranaryException>(() => cluster.DrainSiloAsync("nobody"));
        Assert.Equal((ErrorCodes.SiloNotFound, $"There is no silo 'nobody'; there are {silos.NameOf(0)}, {silos.NameOf(1)}."), (unknown.Code, unknown.Message));

        Assert.Equal("draining", (await cluster.DrainSiloAsync(silos.NameOf(1))).State);
        await Wait.UntilAsync(async () => (await cluster.ListSilosAsync())[1] is { State: "drained", Contexts: 0 }, "The silo is not drained.");
        Assert.Equal("serving", (await cluster.ListSilosAsync())[0].State);
    }

    private static AskRequest Ask(GenerationOptions options) => new() { Prompt = TokenInput.OfTokens(7, 8, 9), Options = options };

    private static async Task<IContextGrain[]> CreateAsync(SeveralSilos silos, int count, string prefix = "c")
    {
        var contexts = Enumerable.Range(0, count).Select(number => silos.Context($"{prefix}-{number}")).ToArray();
        await Task.WhenAll(contexts.Select(static (context, number) => OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(20, seed: number)))));
        return contexts;
    }
}
