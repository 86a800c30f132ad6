using Granary.Contexts;
using Granary.Grains.Tests.Hosting;

namespace Granary.Grains.Tests.Planning;

/// <summary>The plan through a silo: what it decides shows in the answer, and changes nothing else of it.</summary>
[Trait("Invariant", "11")]
public sealed class PlannedAskTests(PlanningSilo silo) : IClassFixture<PlanningSilo>
{
    private static readonly AskRequest Question = new()
    {
        Prompt = TokenInput.OfTokens([5, 6, 7]),
        Options = new GenerationOptions { MaxNewTokens = 6, IgnoreEos = true, LogProbabilities = true },
    };

    [Fact]
    public async Task AskAsync_StoreIsSlow_ComputesTheStoredPagesWithoutReadingThem()
    {
        var context = silo.Context("slow");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(600, 1)));
        var resident = await OneSilo.EndAsync(context.AskAsync(Question));
        await context.EvictAsync();
        await KnowAsync(TimeSpan.FromHours(1));
        var calls = silo.ChunkCalls;

        var answer = await OneSilo.EndAsync(context.AskAsync(Question));

        Assert.Equal(("recompute", 600, 0), (answer.Plan.Decision, answer.Usage.RecomputedTokens, answer.Usage.RestoredTokens));
        Assert.Matches("^expected 3.6E\\+03 s to load and .* s to compute what is not in memory; computed 600 tokens in .* s$", answer.Plan.Reason);
        Assert.Equal(calls, silo.ChunkCalls);
        AssertSame(resident, answer);
        Assert.Equal("resident", (await OneSilo.EndAsync(context.AskAsync(Question))).Plan.Decision); // computed for whoever comes next, too
    }

    [Fact]
    public async Task AskAsync_StoreIsSlowAndLoadingIsAskedFor_Loads()
    {
        var context = silo.Context("forced");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(300, 2)));
        await context.EvictAsync();
        await KnowAsync(TimeSpan.FromHours(1));

        var answer = await OneSilo.EndAsync(context.AskAsync(Question with { Plan = PlanChoice.Load }));

        Assert.Equal(("load", 300), (answer.Plan.Decision, answer.Usage.RestoredTokens));
        Assert.Matches("^loading was asked for; loaded 300 tokens in .* s$", answer.Plan.Reason);
    }

    [Fact]
    public async Task AskAsync_StoreIsQuick_Loads()
    {
        var context = silo.Context("quick");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(600, 3)));
        var resident = await OneSilo.EndAsync(context.AskAsync(Question));
        await context.EvictAsync();
        await KnowAsync(TimeSpan.FromTicks(1));

        var answer = await OneSilo.EndAsync(context.AskAsync(Question));

        Assert.Equal(("load", 600), (answer.Plan.Decision, answer.Usage.RestoredTokens));
        AssertSame(resident, answer);
    }

    [Fact]
    public async Task GenerateAsync_ALookCostsMoreThanItMaySave_AsksTheStoreForNothing()
    {
        var ids = OneSilo.Ids(300, 4);
        await KnowAsync(TimeSpan.FromHours(1));
        var calls = silo.ChunkCalls;

        var answer = await OneSilo.EndAsync(silo.Nameless().GenerateAsync(
            new GenerateRequest { Context = TokenInput.OfTokens(ids), Prompt = Question.Prompt, Options = Question.Options }));

        Assert.Equal(("recompute", calls), (answer.Plan.Decision, silo.ChunkCalls));
        Assert.StartsWith("a look into the store was expected to take 3.6E+03 s", answer.Plan.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ProbeStore_StoreWasSlow_MeetsWhatItIsNowHalfWay()
    {
        var context = silo.Context("again");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(300, 5)));
        await KnowAsync(TimeSpan.FromHours(1));

        await silo.Planner.ProbeStore();

        Assert.InRange(silo.Planner.Store.Wait, 0, 10); // half of the way, by ratio, to that of a store in memory
        Assert.True(silo.Planner.PaceOf(OneSilo.Model).Prefill.IsKnown); // since the model was loaded
    }

    private static void AssertSame(Answer expected, Answer actual)
    {
        Assert.Equal(expected.TokenIds, actual.TokenIds);
        Assert.Equal(expected.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits), actual.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits));
    }

    // No probe comes after this: one has just been made, and a later one counts as much as what is known.
    private async Task KnowAsync(TimeSpan wait)
    {
        await silo.Planner.ProbeStore();
        for (var probe = 0; probe < 64; probe++)
        {
            silo.Planner.Store.Seed(wait, 1_000_000, TimeSpan.FromTicks(1));
        }
    }
}
