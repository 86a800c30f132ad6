using Granary.Contexts;
using Granary.Datasets;
using Granary.Errors;
using Granary.Grains.Tests.Hosting;
using Granary.Storage.Objects;
using Granary.Stores;
using Orleans.Core.Internal;

namespace Granary.Grains.Tests.Datasets;

/// <remarks>A tenant a test: tenants share no chunks, so that no test finds stored what another computed.</remarks>
[Collection("Engine")] // the counters of DESIGN §9 belong to the process
public sealed class DatasetGrainTests(OneSilo silo) : IClassFixture<OneSilo>
{
    private static readonly string Digest = new('a', 64);

    private static readonly DatasetItem[] Items =
    [
        new("one", "The miller of Aldmere is Mabel this year. The stock of Ingwick is 12 by decree.", [new("one-1", "\nQuestion: Who?\nAnswer:", ["Mabel"]), new("one-2", "\nHow many?", [])]),
        new("two/three", "The mayor of Aldwick is Clara by decree.", [new("two-1", "\nQuestion: Who?\nAnswer:", ["Clara"])]),
    ];

    [Fact]
    public async Task S6_PrecomputeTwice_ComputesEachContextOnce()
    {
        var first = await PrecomputeAsync("twice", Items);
        Assert.Equal((2, 2, 0, 0), (first.Items, first.Done, first.Skipped, first.Failed));
        Assert.True(first.PrefilledTokens > 0);
        Assert.Equal(first.PrefilledTokens, first.Tokens);

        var second = await PrecomputeAsync("twice", Items);
        Assert.Equal((2, 0, 2, 0), (second.Items, second.Done, second.Skipped, second.Failed));
        Assert.Equal(0, second.PrefilledTokens);
        Assert.Equal(first.StoredBytes, second.StoredBytes);
        Assert.Equal(second, await silo.Grains.GetGrain<IDatasetGrain>("twice/twice").GetStatusAsync(), StatusComparer);
    }

    [Fact]
    public async Task S7_AskAsync_AnswersEveryQuestionInOrder_AsWithoutCaches()
    {
        await PrecomputeAsync("asked", Items);
        var options = new GenerationOptions { MaxNewTokens = 6, IgnoreEos = true, LogProbabilities = true };
        var cached = await AskAsync("asked", new DatasetAskRequest { Options = options });
        var uncached = await AskAsync("asked", new DatasetAskRequest { Options = options, NoCache = true });

        Assert.Equal(["one-1", "one-2", "two-1"], cached.Select(static answer => answer.Question.Id));
        Assert.Equal("asked.two%2Fthree", cached[2].Answer!.Context);
        Assert.All(uncached, static answer => Assert.Null(answer.Answer!.Context));
        Assert.Equal(uncached.Select(static answer => answer.Answer!.Text), cached.Select(static answer => answer.Answer!.Text));
        Assert.Equal(uncached.SelectMany(static answer => answer.Answer!.LogProbabilities!), cached.SelectMany(static answer => answer.Answer!.LogProbabilities!));
    }

    [Theory]
    [InlineData(0, "one-1,one-2,two-1")]
    [InlineData(2, "two-1")]
    [InlineData(3, "")]
    [InlineData(4, "")]
    public async Task AskAsync_SomeWereAnsweredBefore_TheOthersFollow(int skip, string asked)
    {
        await PrecomputeAsync("goes-on", Items);
        var answers = await AskAsync("goes-on", new DatasetAskRequest { Options = new GenerationOptions { MaxNewTokens = 1 }, Skip = skip });
        Assert.Equal(asked, string.Join(',', answers.Select(static answer => answer.Question.Id)));
    }

    [Fact]
    public async Task PrecomputeAsync_TheSameRunAgain_IsToldHowItEnded()
    {
        await PrecomputeAsync("told-again", Items);
        var (dataset, run) = (silo.Grains.GetGrain<IDatasetGrain>("told-again/told-again"), Guid.NewGuid());
        var request = new PrecomputeRequest { Digest = Digest, Model = OneSilo.Model, Items = Items.Length, Run = run };
        var ended = await dataset.PrecomputeAsync(request).LastAsync();
        await silo.DeactivateAllAsync();

        Assert.Equal([ended], await dataset.PrecomputeAsync(request).ToListAsync(), StatusComparer);
        Assert.Equal((0, 2), (ended.Done, ended.Skipped));
        await silo.Context("told-again.one", "told-again").DeleteAsync();
        Assert.Equal([ended], await dataset.PrecomputeAsync(request).ToListAsync(), StatusComparer);
        await Assert.ThrowsAsync<GranaryException>(() => silo.Context("told-again.one", "told-again").GetAsync()); // nothing was made for it
        await dataset.PrecomputeAsync(request with { Run = Guid.NewGuid() }).LastAsync();
        await silo.Context("told-again.one", "told-again").GetAsync();
    }

    [Fact]
    public async Task PrecomputeAsync_AnotherRunIsUnderWay_IsToldItsIdAndUnderThatHowItEnded()
    {
        var dataset = silo.Grains.GetGrain<IDatasetGrain>("joined/joined");
        await dataset.PutItemsAsync(new PutItemsRequest { Digest = Digest, Shard = 0, Part = 0, Last = true, Items = Items });
        var request = new PrecomputeRequest { Digest = Digest, Model = OneSilo.Model, Items = Items.Length };
        Guid[] own = [Guid.NewGuid(), Guid.NewGuid()];
        var watched = await Task.WhenAll(own.Select(run => dataset.PrecomputeAsync(request with { Run = run }).ToListAsync().AsTask()));

        var run = Assert.Single(watched.SelectMany(static statuses => statuses).Select(static status => status.Run).Distinct())!.Value;
        var other = Assert.Single(own, id => id != run); // whichever came second has joined the first
        Assert.Equal([watched[0][^1]], await dataset.PrecomputeAsync(request with { Run = run }).ToListAsync(), StatusComparer);
        Assert.Equal((2, 0), (watched[0][^1].Done, watched[0][^1].Skipped));
        Assert.Equal((other, 2), await dataset.PrecomputeAsync(request with { Run = other }).LastAsync() is var second ? (second.Run!.Value, second.Skipped) : default);
    }

    [Fact]
    public async Task PrecomputeAsync_AnItemThatCannotBeComputed_FailsAloneAndIsNamed()
    {
        var tooLong = new DatasetItem("long", string.Join(' ', Enumerable.Repeat("miller", 4000)), []);
        var status = await PrecomputeAsync("one-bad", [.. Items, tooLong], new DatasetFailure("line 7", ErrorCodes.DatasetInvalid, "not JSON"));
        Assert.Equal((4, 2, 2), (status.Items, status.Done, status.Failed));
        Assert.Equal([("line 7", ErrorCodes.DatasetInvalid), ("long", ErrorCodes.ContextWindowExceeded)], status.Failures.Select(static failure => (failure.Item, failure.Code)));
    }

    [Fact]
    public async Task PrecomputeAsync_ItemsInSeveralParts_AreAllThere()
    {
        var dataset = silo.Grains.GetGrain<IDatasetGrain>("parts/parts");
        Assert.Equal(0, Assert.Single(await dataset.FindMissingShardsAsync(Digest, 1)));
        await dataset.PutItemsAsync(new PutItemsRequest { Digest = Digest, Shard = 0, Part = 0, Last = false, Items = [Items[0]] });
        Assert.Equal(0, Assert.Single(await dataset.FindMissingShardsAsync(Digest, 1)));
        await dataset.PutItemsAsync(new PutItemsRequest { Digest = Digest, Shard = 0, Part = 1, Last = true, Items = [Items[1]] });
        Assert.Empty(await dataset.FindMissingShardsAsync(Digest, 1));
        Assert.Equal(2, (await RunAsync(dataset, 2)).Done);
    }

    [Fact, Trait("Invariant", "1")]
    public async Task AskAsync_PartIsDamaged_SaysSoAndPrecomputePutsItRight()
    {
        await PrecomputeAsync("tampered", Items);
        await DamageAsync("datasets/tampered/");
        var dataset = silo.Grains.GetGrain<IDatasetGrain>("tampered/tampered");

        var fault = await Assert.ThrowsAsync<GranaryException>(() => AskAsync("tampered", new DatasetAskRequest()));

        Assert.Equal(ErrorCodes.DatasetInvalid, fault.Code);
        Assert.Equal((int[])[0], await dataset.FindMissingShardsAsync(Digest, 1));
        Assert.Equal((0, 2), (await PrecomputeAsync("tampered", Items)) is var again ? (again.Failed, again.Skipped) : default);
        Assert.Equal(3, (await AskAsync("tampered", new DatasetAskRequest { Options = new GenerationOptions { MaxNewTokens = 1 } })).Count);
    }

    [Theory, InlineData("dataset"), InlineData("shard"), Trait("Invariant", "1")]
    public async Task PrecomputeAsync_StateIsDamaged_SaysSoUntilACheckTakesItAway(string state)
    {
        var name = $"damaged-{state}";
        await PrecomputeAsync(name, Items);
        await silo.Grains.GetGrain<IDatasetGrain>($"{name}/{name}").Cast<IGrainManagementExtension>().DeactivateOnIdle();
        await silo.Grains.GetGrain<IDatasetShardGrain>($"{name}/{name}/00000").Cast<IGrainManagementExtension>().DeactivateOnIdle();
        var key = await DamageAsync($"grains/{state}/", name);

        // Orleans wraps what a grain that cannot be activated throws; the client takes it out again.
        var fault = (await Assert.ThrowsAsync<OrleansException>(() => PrecomputeAsync(name, Items))).InnerException as GranaryException;
        Assert.Equal(ErrorCodes.ManifestInvalid, fault!.Code);
        Assert.Contains($"'{key}'", fault.Message, StringComparison.Ordinal);

        var found = (await silo.Grains.GetGrain<ISweepGrain>(name).CheckAsync(repair: true).LastAsync(TestContext.Current.CancellationToken)).Result!;
        Assert.Equal((key, "state", true), Assert.Single(found.Faults) is var bad ? (bad.Key, bad.Kind, bad.Repaired) : default);
        Assert.Equal(2, (await PrecomputeAsync(name, Items)).Skipped);
    }

    [Fact]
    public async Task GetStatusAsync_NoSuchDataset_SaysSo()
    {
        var error = await Assert.ThrowsAsync<GranaryException>(() => silo.Grains.GetGrain<IDatasetGrain>("default/none").GetStatusAsync());
        Assert.Equal(ErrorCodes.DatasetNotFound, error.Code);
    }

    [Fact]
    public async Task PrecomputeAsync_DigestThatLeavesItsPrefix_IsRefused()
    {
        var dataset = silo.Grains.GetGrain<IDatasetGrain>("default/escape");
        var error = await Assert.ThrowsAsync<GranaryException>(() => dataset.FindMissingShardsAsync("../../x", 1));
        Assert.Equal(ErrorCodes.InvalidArgument, error.Code);
    }

    private static EqualityComparer<DatasetStatus> StatusComparer { get; } = EqualityComparer<DatasetStatus>.Create(
        static (a, b) => (a! with { Failures = [], Seconds = 0 }) == (b! with { Failures = a.Failures.Length == b.Failures.Length ? [] : b.Failures, Seconds = 0 }),
        static status => status.Items);

    private async Task<string> DamageAsync(string prefix, string of = "")
    {
        var stopping = TestContext.Current.CancellationToken;
        var key = (await silo.Store.ListAsync(prefix, stopping).FirstAsync(info => info.Key.Contains(of, StringComparison.Ordinal), stopping)).Key;
        var content = (await silo.Store.FindAsync(key, stopping))!.Content;
        content[content.Length / 2] ^= 1;
        await silo.Store.PutAsync(key, new(content), Precondition.None, stopping);
        return key;
    }

    private async Task<DatasetStatus> PrecomputeAsync(string name, DatasetItem[] items, params DatasetFailure[] unreadable)
    {
        var dataset = silo.Grains.GetGrain<IDatasetGrain>($"{name}/{name}");
        await dataset.PutItemsAsync(new PutItemsRequest { Digest = Digest, Shard = 0, Part = 0, Last = true, Items = items });
        return await RunAsync(dataset, items.Length, unreadable);
    }

    private static async Task<DatasetStatus> RunAsync(IDatasetGrain dataset, int items, params DatasetFailure[] unreadable)
    {
        DatasetStatus? last = null;
        await foreach (var status in dataset.PrecomputeAsync(new PrecomputeRequest { Digest = Digest, Model = OneSilo.Model, Items = items, Unreadable = unreadable }))
        {
            last = status;
        }

        Assert.True(last!.Ended);
        return last;
    }

    private async Task<List<DatasetAnswer>> AskAsync(string name, DatasetAskRequest request)
    {
        var answers = new List<DatasetAnswer>();
        await foreach (var answer in silo.Grains.GetGrain<IDatasetGrain>($"{name}/{name}").AskAsync(request))
        {
            Assert.Null(answer.Failure);
            answers.Add(answer);
        }

        return answers;
    }
}
