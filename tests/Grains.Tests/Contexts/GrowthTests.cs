using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Tests.Hosting;

namespace Granary.Grains.Tests.Contexts;

/// <summary>Append, and ask-and-keep: a context's next version.</summary>
[Collection("Engine")]
public sealed class GrowthTests(OneSilo silo) : IClassFixture<OneSilo>
{
    private static readonly GenerationOptions Greedy = new() { MaxNewTokens = 8, IgnoreEos = true, LogProbabilities = true };
    private static readonly AskRequest Question = new() { Prompt = TokenInput.OfTokens(5, 6, 7, 8, 9), Options = Greedy };

    [Theory]
    [InlineData(1, 1)]
    [InlineData(255, 1)]
    [InlineData(256, 1)]
    [InlineData(257, 300)]
    [InlineData(300, 700)]
    public async Task AppendAsync_AnyLength_IsTheContextOfAllIdsToTheBit(int tokens, int added)
    {
        var ids = OneSilo.Ids(tokens + added, tokens);
        var (grown, whole) = (silo.Context($"grown-{tokens}"), silo.Context($"whole-{tokens}"));
        await OneSilo.CreateAsync(grown, TokenInput.OfTokens(ids[..tokens]));

        var result = await AppendAsync(grown, ids[tokens..]);
        await OneSilo.CreateAsync(whole, TokenInput.OfTokens(ids));

        Assert.Equal((2L, tokens + added, "stored", true), (result.Context.Version, result.Context.Tokens, result.Context.State, result.Context.Resident));
        Assert.Equal(tokens + added - (tokens / 256 * 256), result.PrefilledTokens); // full pages are the ones before
        await AssertEqualAsync(grown, whole);
        Assert.True(await grown.EvictAsync());
        await AssertEqualAsync(grown, whole);
    }

    [Fact, Trait("Invariant", "2")]
    public async Task AppendAsync_ThenAnotherSiloOnTheStore_HasTheNewVersion()
    {
        var ids = OneSilo.Ids(400, 7);
        await OneSilo.CreateAsync(silo.Context("seen"), TokenInput.OfTokens(ids[..300]));
        await AppendAsync(silo.Context("seen"), ids[300..]);
        await using var other = new SecondSilo(silo.Store);
        await other.InitializeAsync();

        var there = await OneSilo.EndAsync(other.Context("seen").AskAsync(Question));

        var here = await OneSilo.EndAsync(silo.Context("seen").AskAsync(Question));
        Assert.Equal((2L, "load"), (there.Version, there.Plan.Decision));
        AssertSame(here, there);
    }

    [Fact]
    public async Task AppendAsync_WhileAnAskStreams_TheAskEndsOnItsVersion()
    {
        var ids = OneSilo.Ids(300, 8);
        var context = silo.Context("streamed");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(ids[..280]));
        var request = Question with { Options = Greedy with { MaxNewTokens = 200 } };
        var alone = await OneSilo.EndAsync(context.AskAsync(request));

        await using var stream = context.AskAsync(request).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await stream.MoveNextAsync());
        await AppendAsync(context, ids[280..]);
        var last = stream.Current;
        while (await stream.MoveNextAsync())
        {
            last = stream.Current;
        }

        Assert.Equal(1, last.Answer!.Version);
        AssertSame(alone, last.Answer);
        Assert.Equal(2, (await OneSilo.EndAsync(context.AskAsync(Question))).Version);
    }

    [Fact]
    public async Task AppendAsync_SeveralAtOnce_AllArePutBehindEachOther()
    {
        var context = silo.Context("queued");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(1, 2, 3));
        var results = await Task.WhenAll(Enumerable.Range(10, 6).Select(id => AppendAsync(context, [id])));

        Assert.Equal([2, 3, 4, 5, 6, 7], results.Select(static result => result.Context.Version).Order());
        Assert.Equal(9, (await context.GetAsync()).Tokens);
    }

    [Fact, Trait("Invariant", "4")]
    public async Task AppendAsync_OtherVersionOrAnotherProcessInBetween_IsAConflict()
    {
        var context = silo.Context("fenced");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(1, 2, 3));
        await AppendAsync(context, [4]);
        await AssertFailsAsync(ErrorCodes.ContextConflict, () => AppendAsync(context, [5], ifVersion: 1));

        await using var other = new SecondSilo(silo.Store);
        await other.InitializeAsync();
        var both = await Task.WhenAll(TryAppendAsync(context, 6), TryAppendAsync(other.Context("fenced"), 7), TryAppendAsync(context, 8), TryAppendAsync(other.Context("fenced"), 9));

        // Whoever committed last knows the newest version; the other may be stale for a second.
        var descriptions = new[] { await context.GetAsync(), await other.Context("fenced").GetAsync() };
        Assert.Equal(2 + both.Count(static done => done), descriptions.Max(static description => description.Version));
        Assert.Equal(4 + both.Count(static done => done), descriptions.Max(static description => description.Tokens));
        Assert.Contains(true, both);
    }

    [Fact]
    public async Task AppendAsync_BadInput_IsRefusedAndTheContextStays()
    {
        var context = silo.Context("stays");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(2000, 9)));
        await AssertFailsAsync(ErrorCodes.ContextWindowExceeded, () => AppendAsync(context, OneSilo.Ids(49, 1)));
        await AssertFailsAsync(ErrorCodes.EmptyInput, () => AppendAsync(context, []));
        await AssertFailsAsync(ErrorCodes.TokenOutOfVocabulary, () => AppendAsync(context, [1 << 20]));
        await AssertFailsAsync(ErrorCodes.ContextNotFound, () => AppendAsync(silo.Context("nobody"), [1]));
        Assert.Equal((1L, 2000), ((await context.GetAsync()).Version, (await context.GetAsync()).Tokens));
    }

    [Fact, Trait("Invariant", "10")]
    public async Task AppendAsync_CallerLeavesBeforeTheCommit_ChangesNothingAndHoldsNothing()
    {
        var context = silo.Context("left");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(1, 2, 3));
        using var leaving = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var progress in context.AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(OneSilo.Ids(2000, 3)) }, leaving.Token))
            {
                if (progress.Stage == ContextStage.Prefilling)
                {
                    await leaving.CancelAsync();
                }
            }
        });

        await AppendAsync(context, [4]); // waits for the one that was left
        Assert.Equal((2L, 4), ((await context.GetAsync()).Version, (await context.GetAsync()).Tokens));
        await context.EvictAsync();
    }

    [Theory]
    [InlineData(3)]
    [InlineData(250)]
    [InlineData(511)]
    public async Task AskAsync_Keep_IsTheContextOfAllIdsToTheBit(int tokens)
    {
        var ids = OneSilo.Ids(tokens, 20 + tokens);
        var (kept, whole) = (silo.Context($"kept-{tokens}"), silo.Context($"at-once-{tokens}"));
        await OneSilo.CreateAsync(kept, TokenInput.OfTokens(ids));

        var answer = await OneSilo.EndAsync(kept.AskAsync(Question with { Keep = true }));
        await OneSilo.CreateAsync(whole, TokenInput.OfTokens([.. ids, 5, 6, 7, 8, 9, .. answer.TokenIds]));

        Assert.Equal((1L, 2L), (answer.Version!.Value, answer.KeptVersion!.Value));
        Assert.Equal(tokens + 13, (await kept.GetAsync()).Tokens);
        await AssertEqualAsync(kept, whole);
    }

    [Fact, Trait("Invariant", "4")]
    public async Task AskAsync_KeepWhileAnotherVersionAppears_ConflictsAndKeepsNothing()
    {
        var context = silo.Context("overtaken");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(1, 2, 3));
        await using var stream = context.AskAsync(Question with { Options = Greedy with { MaxNewTokens = 200 }, Keep = true }).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await stream.MoveNextAsync());
        await AppendAsync(context, [4]);

        await AssertFailsAsync(ErrorCodes.ContextConflict, async () =>
        {
            while (await stream.MoveNextAsync())
            {
                Assert.Null(stream.Current.Answer);
            }
        });
        Assert.Equal((2L, 4), ((await context.GetAsync()).Version, (await context.GetAsync()).Tokens));
    }

    [Theory, Trait("Invariant", "4")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AskAsync_KeepsAtOnce_TheFirstWinsAndTheOthersLearnTheVersion(bool inTwoProcesses)
    {
        var name = $"kept-{inTwoProcesses}";
        await OneSilo.CreateAsync(silo.Context(name), TokenInput.OfTokens(1, 2, 3));
        await using var second = new SecondSilo(silo.Store);
        await second.InitializeAsync();
        var other = (inTwoProcesses ? second : silo).Context(name);
        await other.GetAsync();

        var outcomes = await Task.WhenAll(new[] { silo.Context(name), other, silo.Context(name), other }.Select(async context =>
        {
            try
            {
                var answer = await OneSilo.EndAsync(context.AskAsync(Question with { Options = Greedy with { MaxNewTokens = 100 }, Keep = true }));
                return (answer.KeptVersion, Conflict: (GranaryException?)null);
            }
            catch (GranaryException e)
            {
                return (null, e);
            }
        }));

        Assert.Equal(2, Assert.Single(outcomes, static outcome => outcome.Conflict is null).KeptVersion);
        Assert.All(outcomes.Where(static outcome => outcome.Conflict is not null), static outcome => Assert.Equal((ErrorCodes.ContextConflict, 2L), (outcome.Conflict!.Code, outcome.Conflict.CurrentVersion)));
        Assert.Equal((2L, 3 + 5 + 100), ((await silo.Context(name).GetAsync()).Version, (await silo.Context(name).GetAsync()).Tokens));
    }

    [Fact]
    public async Task AskAsync_KeepAndCancelled_KeepsNothing()
    {
        var context = silo.Context("unkept");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(1, 2, 3));
        using var leaving = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var part in context.AskAsync(Question with { Options = Greedy with { MaxNewTokens = 500 }, Keep = true }, leaving.Token))
            {
                await leaving.CancelAsync();
            }
        });

        Assert.Equal((1L, 3), ((await context.GetAsync()).Version, (await context.GetAsync()).Tokens));
    }

    private static async Task<ContextCreated> AppendAsync(IContextGrain context, int[] ids, long? ifVersion = null)
    {
        ContextCreated? result = null;
        await foreach (var progress in context.AppendAsync(new AppendRequest { Input = new TokenInput { TokenIds = ids }, IfVersion = ifVersion }, TestContext.Current.CancellationToken))
        {
            result = progress.Result;
        }

        return result!;
    }

    private static async Task<bool> TryAppendAsync(IContextGrain context, int id)
    {
        try
        {
            await AppendAsync(context, [id]);
            return true;
        }
        catch (GranaryException e) when (e.Code == ErrorCodes.ContextConflict)
        {
            return false;
        }
    }

    private static async Task AssertFailsAsync(string code, Func<Task> act) => Assert.Equal(code, (await Assert.ThrowsAsync<GranaryException>(act)).Code);

    // The other one's pages would be the same by their hashes: they are computed once more.
    private static async Task AssertEqualAsync(IContextGrain one, IContextGrain other) =>
        AssertSame(await OneSilo.EndAsync(other.AskAsync(Question with { Plan = PlanChoice.Recompute })), await OneSilo.EndAsync(one.AskAsync(Question)));

    private static void AssertSame(Answer expected, Answer actual)
    {
        Assert.Equal(expected.TokenIds, actual.TokenIds);
        Assert.Equal(expected.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits), actual.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits));
    }
}
