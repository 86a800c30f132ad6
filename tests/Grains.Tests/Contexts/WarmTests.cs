using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Tests.Hosting;

namespace Granary.Grains.Tests.Contexts;

/// <summary>Warm: resident, and nothing answered.</summary>
[Collection("Engine")]
public sealed class WarmTests(OneSilo silo) : IClassFixture<OneSilo>
{
    private const int Tokens = 600; // three pages

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task WarmAsync_AColdContext_IsResidentAndSaysWhereItsPagesCameFrom()
    {
        var context = silo.Context("cold");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(Tokens, 1)));
        Assert.Equal((Tokens, "resident"), Resident(await WarmAsync(context)));
        await context.EvictAsync();

        var steps = await context.WarmAsync(new WarmRequest(), Stopping).ToListAsync(Stopping);
        var warmed = steps[^1].Result!;

        Assert.Equal((0, Tokens, 0, true), (warmed.ResidentTokens, warmed.RestoredTokens, warmed.RecomputedTokens, warmed.Context.Resident));
        Assert.Equal(("load", true), (warmed.Plan.Decision, warmed.Exact));
        Assert.All(steps, static step => Assert.Equal(Tokens, step.TotalTokens));
        Assert.All(steps.Zip(steps.Skip(1)), static pair => Assert.True(pair.First.DoneTokens <= pair.Second.DoneTokens));
        var answer = await OneSilo.EndAsync(context.AskAsync(new AskRequest { Prompt = TokenInput.OfTokens(5), Options = new GenerationOptions { MaxNewTokens = 1 } }, Stopping));
        Assert.Equal(Tokens, answer.Usage.ResidentTokens);
    }

    [Fact, Trait("Invariant", "8")]
    public async Task WarmAsync_ManyAtOnceBesideAsks_RestoresOnce()
    {
        var context = silo.Context("stampede");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(Tokens, 2)));
        await context.EvictAsync();
        using var restored = new TokenCount("granary.restore.bytes");
        var ask = new AskRequest { Prompt = TokenInput.OfTokens(5), Options = new GenerationOptions { MaxNewTokens = 1 } };
        await Task.WhenAll(
            Task.WhenAll(Enumerable.Range(0, 8).Select(_ => WarmAsync(context))), Task.WhenAll(Enumerable.Range(0, 4).Select(_ => OneSilo.EndAsync(context.AskAsync(ask, Stopping)))));

        Assert.Equal(Tokens * SmallSilo.BytesPerToken, restored.Total);
    }

    [Fact]
    public async Task WarmAsync_APinnedContext_StaysAfterwards()
    {
        var context = silo.Context("pinned");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(20, 3)));
        await context.EvictAsync();
        await context.UpdateAsync(new UpdateContextRequest { Pin = ContextPin.Endless });
        Assert.False((await context.GetAsync()).Resident); // a pin loads nothing
        Assert.True((await WarmAsync(context)).Context.Resident);
        Assert.NotNull((await context.GetAsync()).PinnedUntil);
    }

    [Fact]
    public async Task WarmAsync_WhatCannotBe_IsRefused()
    {
        Assert.Equal(ErrorCodes.ContextNotFound, (await Assert.ThrowsAsync<GranaryException>(() => WarmAsync(silo.Context("nobody")))).Code);
        await OneSilo.CreateAsync(silo.Context("some"), TokenInput.OfTokens(1, 2));
        Assert.Equal(ErrorCodes.InvalidArgument, (await Assert.ThrowsAsync<GranaryException>(() => WarmAsync(silo.Context("some"), PlanChoice.Recompute))).Code);
    }

    private static (int Tokens, string Decision) Resident(ContextWarmed warmed) => (warmed.ResidentTokens, warmed.Plan.Decision);

    private static async Task<ContextWarmed> WarmAsync(IContextGrain context, PlanChoice plan = PlanChoice.Auto) =>
        (await context.WarmAsync(new WarmRequest { Plan = plan }, Stopping).LastAsync(Stopping)).Result!;
}
