using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Tests.Hosting;

namespace Granary.Grains.Tests.Contexts;

[Collection("Engine")] // the counters of DESIGN §9 belong to the process
public sealed class BudgetTests(SmallSilo silo, OneSilo large) : IClassFixture<SmallSilo>, IClassFixture<OneSilo>
{
    private const int Tokens = 600;
    private static readonly AskRequest Ask = new()
    {
        Prompt = TokenInput.OfTokens(5, 6, 7, 8, 9),
        Options = new GenerationOptions { MaxNewTokens = 8, IgnoreEos = true, LogProbabilities = true },
    };

    [Fact, Trait("Invariant", "10")]
    public async Task AskAsync_ManyContextsInTurn_SameBitsAsWithALargeBudgetAndWithinIt()
    {
        using var samples = new BudgetSamples(silo.Registry.Budget);
        var ids = await CreateAsync("turn", count: 4);
        for (var round = 0; round < 2; round++)
        {
            for (var i = 0; i < ids.Length; i++)
            {
                AssertSame(await WithoutCacheAsync(ids[i]), await OneSilo.EndAsync(silo.Context($"turn-{i}").AskAsync(Ask, TestContext.Current.CancellationToken)));
            }
        }

        await AssertOnlyResidentBytesAsync("turn", ids.Length);
        Assert.InRange(samples.Most, 1, silo.Registry.Budget.TotalBytes);
    }

    [Fact(Timeout = 120_000), Trait("Invariant", "10")]
    public async Task AskAsync_ManyContextsAtOnce_AllAnswerWithTheSameBitsAndWithinTheBudget()
    {
        using var samples = new BudgetSamples(silo.Registry.Budget);
        var ids = await CreateAsync("once", count: 5);
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => OneSilo.EndAsync(silo.Context($"once-{i % 5}").AskAsync(Ask, TestContext.Current.CancellationToken))));
        for (var i = 0; i < ids.Length; i++)
        {
            var expected = await WithoutCacheAsync(ids[i]);
            foreach (var answer in answers.Where((_, at) => at % 5 == i))
            {
                AssertSame(expected, answer);
            }
        }

        await AssertOnlyResidentBytesAsync("once", ids.Length);
        Assert.InRange(samples.Most, 1, silo.Registry.Budget.TotalBytes);
    }

    [Fact(Timeout = 120_000), Trait("Invariant", "10")]
    public async Task AskAsync_TwoContextsOfWhichOneFits_DoNotWaitForEachOther()
    {
        await CreateAsync("pair", count: 2);
        for (var round = 0; round < 5; round++)
        {
            var both = await Task.WhenAll(
                OneSilo.EndAsync(silo.Context("pair-0").AskAsync(Ask, TestContext.Current.CancellationToken)), OneSilo.EndAsync(silo.Context("pair-1").AskAsync(Ask, TestContext.Current.CancellationToken)));
            Assert.All(both, static answer => Assert.Equal(8, answer.TokenIds.Length));
        }
    }

    [Fact(Timeout = 120_000), Trait("Invariant", "10")]
    public async Task AskAsync_SharedPrefixesAtOnce_AllAnswer()
    {
        var prefix = OneSilo.Ids(256, 900);
        var contexts = Enumerable.Range(0, 4).Select(i => (Context: silo.Context($"fork-{i}"), Ids: (int[])[.. prefix, .. OneSilo.Ids(Tokens - 256, 901 + i)])).ToArray();
        foreach (var (context, ids) in contexts)
        {
            await OneSilo.CreateAsync(context, TokenInput.OfTokens(ids));
        }

        var answers = await Task.WhenAll(Enumerable.Range(0, 24).Select(i => OneSilo.EndAsync(contexts[i % 4].Context.AskAsync(Ask, TestContext.Current.CancellationToken))));
        for (var i = 0; i < answers.Length; i++)
        {
            Assert.Equal(answers[i % 4].LogProbabilities, answers[i].LogProbabilities);
        }
    }

    [Fact(Timeout = 120_000), Trait("Invariant", "8")]
    public async Task AskAsync_SixteenAtOnceOnAColdContextThatFillsTheBudget_RestoresItOnce()
    {
        await CreateAsync("cold", count: 1);
        await silo.Context("cold-0").EvictAsync();
        using var restored = new TokenCount("granary.restore.bytes");
        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => OneSilo.EndAsync(silo.Context("cold-0").AskAsync(Ask, TestContext.Current.CancellationToken))));
        Assert.Equal(Tokens * SmallSilo.BytesPerToken, restored.Total);
    }

    [Fact(Timeout = 120_000), Trait("Invariant", "8")]
    public async Task AskAsync_SixteenAtOnceOnAColdContext_RestoresItOnce()
    {
        var context = large.Context("cold");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(Tokens, 50)));
        await context.EvictAsync();
        using var restored = new TokenCount("granary.restore.bytes");
        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => OneSilo.EndAsync(context.AskAsync(Ask, TestContext.Current.CancellationToken))));
        Assert.Equal(Tokens * SmallSilo.BytesPerToken, restored.Total);
        Assert.All(answers, answer => Assert.Equal(answers[0].LogProbabilities, answer.LogProbabilities));
    }

    [Fact, Trait("Invariant", "10")]
    public async Task CreateAsync_LargerThanTheBudget_IsRefusedAtOnceAndNothingIsStored()
    {
        var before = silo.Registry.Budget.UsedBytes;
        using var prefilled = new TokenCount("granary.prefill.tokens");
        var error = await Assert.ThrowsAsync<GranaryException>(() => OneSilo.CreateAsync(silo.Context("huge"), TokenInput.OfTokens(OneSilo.Ids(901, 60))));
        Assert.Equal(ErrorCodes.KvBudgetExceeded, error.Code);
        Assert.Equal((0, before), (prefilled.Total, silo.Registry.Budget.UsedBytes));
        Assert.Null(await silo.Store.HeadAsync($"contexts/default/{OneSilo.Model}/huge.json", TestContext.Current.CancellationToken));
    }

    [Fact, Trait("Invariant", "10")]
    public async Task AskAsync_ContextAndAnswerLargerThanTheBudget_IsRefusedAtOnce()
    {
        var context = silo.Context("nearly");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(890, 61)));
        var ask = Ask with { Options = Ask.Options with { MaxNewTokens = 100 } };
        var error = await Assert.ThrowsAsync<GranaryException>(() => OneSilo.EndAsync(context.AskAsync(ask, TestContext.Current.CancellationToken)).WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(ErrorCodes.KvBudgetExceeded, error.Code);
    }

    [Fact, Trait("Invariant", "10")]
    public async Task AskAsync_MoreThanTheBudgetWhileTheContextIsRead_IsRefusedAtOnceAndNothingGivesWay()
    {
        var (context, idle) = (silo.Context("read"), silo.Context("idle"));
        await silo.DeactivateAllAsync();
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(600, 62)));
        await OneSilo.CreateAsync(idle, TokenInput.OfTokens(OneSilo.Ids(200, 63)));
        await using var reading = context.AskAsync(Ask, TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await reading.MoveNextAsync());
        var tooMuch = Ask with { Options = Ask.Options with { MaxNewTokens = 400 } };

        var error = await Assert.ThrowsAsync<GranaryException>(() => OneSilo.EndAsync(context.AskAsync(tooMuch, TestContext.Current.CancellationToken)).WaitAsync(TimeSpan.FromSeconds(30)));

        Assert.Equal(ErrorCodes.KvBudgetExceeded, error.Code);
        Assert.True((await idle.GetAsync()).Resident);
        Assert.Equal(0, silo.Registry.Budgets.Waiters);
        while (await reading.MoveNextAsync())
        {
        }
    }

    [Fact, Trait("Invariant", "8")]
    public async Task CreateAsync_TwoContextsWithACommonPageAtOnce_ComputeAndHoldItOnce()
    {
        var before = large.Registry.Budget.UsedBytes;
        var prefix = OneSilo.Ids(256, 70);
        using var prefilled = new TokenCount("granary.prefill.tokens");
        await Task.WhenAll(Enumerable.Range(0, 2).Select(i =>
            OneSilo.CreateAsync(large.Context($"common-{i}"), TokenInput.OfTokens([.. prefix, .. OneSilo.Ids(100, 71 + i)]))));

        Assert.Equal(256 + 100 + 100, prefilled.Total);
        Assert.Equal((256 + 100 + 100) * SmallSilo.BytesPerToken, large.Registry.Budget.UsedBytes - before);
        await large.Context("common-0").EvictAsync();
        Assert.Equal((256 + 100) * SmallSilo.BytesPerToken, large.Registry.Budget.UsedBytes - before);
        await large.Context("common-1").EvictAsync();
        Assert.Equal(before, large.Registry.Budget.UsedBytes);
    }

    [Fact(Timeout = 120_000), Trait("Invariant", "10")]
    public async Task AskAsync_AForkWhoseParentIsRead_NeedsNoPageAgainAndNothingGivesWay()
    {
        await silo.DeactivateAllAsync();
        var ids = OneSilo.Ids(512, 75); // twice that is more than the budget
        var (parent, fork, same, idle) = (silo.Context("parent"), silo.Context("fork"), silo.Context("same"), silo.Context("idle-beside"));
        await OneSilo.CreateAsync(parent, TokenInput.OfTokens(ids));
        await OneSilo.CreateAsync(idle, TokenInput.OfTokens(OneSilo.Ids(300, 76)));
        await fork.ForkAsync(new ForkRequest { Parent = "parent" }, TestContext.Current.CancellationToken).LastAsync(TestContext.Current.CancellationToken);
        await using var reading = parent.AskAsync(Ask, TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await reading.MoveNextAsync());

        var answer = await OneSilo.EndAsync(fork.AskAsync(Ask, TestContext.Current.CancellationToken));
        await OneSilo.CreateAsync(same, TokenInput.OfTokens(ids));

        Assert.Equal((512, 0, 0), (answer.Usage.ResidentTokens, answer.Usage.RestoredTokens, answer.Usage.RecomputedTokens));
        Assert.All([await parent.GetAsync(), await fork.GetAsync(), await same.GetAsync(), await idle.GetAsync()], static context => Assert.True(context.Resident));
        while (await reading.MoveNextAsync())
        {
        }
    }

    [Fact(Timeout = 120_000), Trait("Invariant", "10")]
    public async Task AskAsync_OneContextIsPinned_ItStaysAndWhatItLeavesNoRoomForIsRefused()
    {
        var pinned = silo.Context("pinned");
        await OneSilo.CreateAsync(pinned, TokenInput.OfTokens(OneSilo.Ids(400, 80)));
        await pinned.UpdateAsync(new UpdateContextRequest { Pin = ContextPin.Endless });
        await OneSilo.CreateAsync(silo.Context("beside-0"), TokenInput.OfTokens(OneSilo.Ids(450, 81)));
        await OneSilo.CreateAsync(silo.Context("beside-1"), TokenInput.OfTokens(OneSilo.Ids(450, 82)));
        Assert.Equal((true, false), ((await pinned.GetAsync()).Resident, (await silo.Context("beside-0").GetAsync()).Resident));
        Assert.Equal("resident", (await OneSilo.EndAsync(pinned.AskAsync(Ask, TestContext.Current.CancellationToken))).Plan.Decision);

        foreach (var act in new Func<Task>[]
        {
            () => OneSilo.CreateAsync(silo.Context("too-large"), TokenInput.OfTokens(OneSilo.Ids(600, 83))),
            () => silo.Context("beside-0").UpdateAsync(new UpdateContextRequest { Pin = ContextPin.Endless }),
        })
        {
            var error = await Assert.ThrowsAsync<GranaryException>(() => act().WaitAsync(TimeSpan.FromSeconds(30)));
            Assert.Equal(ErrorCodes.KvBudgetExceeded, error.Code);
            Assert.Contains("npin", error.Remedy, StringComparison.Ordinal);
        }

        await pinned.UpdateAsync(new UpdateContextRequest { Unpin = true });
        await OneSilo.CreateAsync(silo.Context("too-large"), TokenInput.OfTokens(OneSilo.Ids(600, 83)));
        await silo.Context("too-large").EvictAsync();
        await silo.Context("beside-1").EvictAsync();
    }

    [Fact(Timeout = 120_000), Trait("Invariant", "10")]
    public async Task AppendAsync_ToAPinnedContext_NeedsRoomForWhatItsPagesLackOnly()
    {
        var (ids, added) = (OneSilo.Ids(400, 84), OneSilo.Ids(240, 85));
        var pinned = silo.Context("pinned-grows");
        await OneSilo.CreateAsync(pinned, TokenInput.OfTokens(ids));
        await pinned.UpdateAsync(new UpdateContextRequest { Pin = ContextPin.Endless });

        // All 640 tokens beside the 400 that are kept would not fit: the first page is shared.
        var grown = (await pinned.AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(added) }, TestContext.Current.CancellationToken).LastAsync(TestContext.Current.CancellationToken)).Result!;

        Assert.Equal((640, 640 - 256), (grown.Context.Tokens, grown.PrefilledTokens));
        AssertSame(await WithoutCacheAsync([.. ids, .. added]), await OneSilo.EndAsync(pinned.AskAsync(Ask, TestContext.Current.CancellationToken)));
        await pinned.UpdateAsync(new UpdateContextRequest { Unpin = true });
        await pinned.EvictAsync();
    }

    private async Task<int[][]> CreateAsync(string name, int count)
    {
        var ids = Enumerable.Range(0, count).Select(i => OneSilo.Ids(Tokens, name.Sum(static letter => letter) + i)).ToArray();
        for (var i = 0; i < count; i++)
        {
            await OneSilo.CreateAsync(silo.Context($"{name}-{i}"), TokenInput.OfTokens(ids[i]));
        }

        return ids;
    }

    private async Task<Answer> WithoutCacheAsync(int[] ids) => await OneSilo.EndAsync(large.Nameless().GenerateAsync(
        new GenerateRequest { Context = TokenInput.OfTokens(ids), Prompt = Ask.Prompt, Options = Ask.Options, NoCache = true }, TestContext.Current.CancellationToken));

    private static void AssertSame(Answer expected, Answer actual)
    {
        Assert.Equal(expected.TokenIds, actual.TokenIds);
        Assert.Equal(expected.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits), actual.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits));
    }

    // The last answer's end frees its tail beside the last part that its caller sees.
    private async Task AssertOnlyResidentBytesAsync(string name, int count)
    {
        var resident = 0;
        for (var i = 0; i < count; i++)
        {
            resident += (await silo.Context($"{name}-{i}").GetAsync()).Resident ? 1 : 0;
        }

        Assert.InRange(resident, 0, 1);
        await Wait.UntilAsync(() => silo.Registry.Budget.UsedBytes == resident * Tokens * SmallSilo.BytesPerToken, "the budget holds other bytes than the resident context's");
    }
}
