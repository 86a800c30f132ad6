using Granary.Contexts;
using Granary.Grains.Planning;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Grains.Tests.Planning;

/// <summary>Decisions by expected times: pages of 1 MB, whose operations grow with what is before them.</summary>
public sealed class PrefixPlanTests
{
    private static readonly PlannedPage[] Pages = [.. Enumerable.Range(0, 8).Select(static page => new PlannedPage(1_000_000, 1e9 * (10 + page)))];
    private readonly StoreSpeed _store = new(new FakeTimeProvider());
    private readonly ModelPace _pace = new();

    [Fact]
    public void Loads_SpeedsAreNotKnown_LoadsWhatIsStored()
    {
        var plan = Plan();
        Assert.True(plan.Loads(0) && plan.Looks(0));
        Assert.Equal("stored pages are loaded until their speed and the engine's are known; loaded 256 tokens in 0 s", plan.Explain(256, 0, 0));
    }

    [Theory]
    [InlineData(0.001, 0.001, true)]  // 9 ms against 1.1 s
    [InlineData(0.2, 1, false)]       // 8.2 s
    [InlineData(10, 0.001, false)]    // 10 s: the wait alone
    [InlineData(0.3, 0.02, true)]     // 0.46 s: the wait is shared by eight pages
    public void Loads_StoreOfASpeed_TakesTheQuickerWay(double wait, double secondsPerMegabyte, bool loads)
    {
        Know(wait, secondsPerMegabyte, secondsPerGiga: 0.01);
        var plan = Plan();
        Assert.All(Enumerable.Range(0, 8), page => Assert.Equal(loads, plan.Loads(page)));
    }

    [Fact]
    public void Loads_LaterPagesTakeLongerToCompute_ComputesTheFirstOnes()
    {
        Know(wait: 0, secondsPerMegabyte: 0.13, secondsPerGiga: 0.01); // computed in 0.10 to 0.17 s
        _pace.Loads = false;
        var plan = Plan();
        Assert.Equal([false, false, false, false, false, false, true, true], Enumerable.Range(0, 8).Select(plan.Loads));
    }

    [Theory]
    [InlineData(true, 0.11, true)]
    [InlineData(true, 0.13, false)]
    [InlineData(false, 0.09, false)]
    [InlineData(false, 0.08, true)]
    public void Loads_BothWaysAreAlike_StaysWithTheLast(bool loadedLast, double secondsPerMegabyte, bool loads)
    {
        Know(wait: 0, secondsPerMegabyte, secondsPerGiga: 0.01); // the first page is computed in 0.10 s
        _pace.Loads = loadedLast;
        Assert.Equal(loads, Plan().Loads(0));
        Assert.Equal(loads, _pace.Loads);
    }

    [Fact]
    public void Loads_StoreTurnsOutSlow_ComputesTheRest()
    {
        Know(wait: 0.001, secondsPerMegabyte: 0.01, secondsPerGiga: 0.01);
        var plan = Plan();
        Assert.True(plan.Loads(0));
        for (var page = 0; page < 4; page++)
        {
            plan.Loaded(page, waits: page == 0, TimeSpan.FromSeconds(2));
        }

        Assert.False(plan.Loads(4));
        Assert.False(Plan().Loads(0)); // and for the next ask
    }

    [Fact]
    public void Loads_EngineTurnsOutSlow_LoadsTheRest()
    {
        Know(wait: 0, secondsPerMegabyte: 0.2, secondsPerGiga: 0.01);
        var plan = Plan();
        Assert.False(plan.Loads(0));
        for (var page = 0; page < 4; page++)
        {
            plan.Computed(page, TimeSpan.FromSeconds(5)); // others are before it in the queue
        }

        Assert.True(plan.Loads(4));
    }

    [Theory]
    [InlineData(0.001, 0.001, 2)] // the least
    [InlineData(0.2, 1, 16.8)]    // four pages side by side, four times as slow as they were
    public void PatienceFor_StoreOfASpeed_IsAMultipleOfWhatIsExpected(double wait, double secondsPerMegabyte, double seconds)
    {
        Know(wait, secondsPerMegabyte, secondsPerGiga: 0.01);
        Assert.Equal(seconds, Plan().PatienceFor(0).TotalSeconds, 6);
        Assert.Equal(Timeout.InfiniteTimeSpan, new PrefixPlan(Pages, PlanChoice.Load, _store, _pace).PatienceFor(0));
    }

    [Fact]
    public void Abandoned_ARead_TeachesThatTheStoreIsSlow()
    {
        Know(wait: 0.001, secondsPerMegabyte: 0.01, secondsPerGiga: 0.01);
        Plan().Abandoned(0, waits: true, TimeSpan.FromSeconds(2));
        Assert.True(_store.Expect(1_000_000, waits: true) > 0.011);
    }

    [Fact]
    public void Loads_LoadingWasAskedFor_DoesWhateverItTakes()
    {
        Know(wait: 100, secondsPerMegabyte: 100, secondsPerGiga: 0.001);
        var plan = new PrefixPlan(Pages, PlanChoice.Load, _store, _pace);
        Assert.True(plan.Loads(0) && plan.Looks(0));
        Assert.StartsWith("loading was asked for; ", plan.Explain(256, 0, 0), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.02, true)]   // 1.08 s may be saved
    [InlineData(0.025, false)]
    public void Looks_PagesMayNotBeStored_OnlyIfALookCostsNextToNothing(double wait, bool looks)
    {
        Know(wait, secondsPerMegabyte: 0.001, secondsPerGiga: 0.01);
        var plan = Plan();
        Assert.Equal(looks, plan.Looks(0));
        Assert.Equal(!looks, plan.Explain(0, 256, 0).StartsWith("a look into the store was expected to take 0.025 s", StringComparison.Ordinal));
    }

    [Fact]
    public void Explain_LoadedAndComputed_SaysWhatWasExpectedAndMeasured()
    {
        Know(wait: 0.01, secondsPerMegabyte: 0.02, secondsPerGiga: 0.01);
        var plan = Plan();
        plan.Loads(0);
        plan.Loaded(0, waits: true, TimeSpan.FromMilliseconds(40));
        plan.Computed(1, TimeSpan.FromMilliseconds(150));
        Assert.Equal(
            "expected 0.17 s to load and 1.08 s to compute what is not in memory; loaded 256 tokens in 0.04 s; computed 256 tokens in 0.15 s, of which 256 were not in the store or refused",
            plan.Explain(256, 256, 256));
        Assert.Equal("every page is in device memory", plan.Explain(0, 0, 0));
    }

    private PrefixPlan Plan() => new(Pages, PlanChoice.Auto, _store, _pace);

    private void Know(double wait, double secondsPerMegabyte, double secondsPerGiga)
    {
        _store.Seed(TimeSpan.FromSeconds(wait), 1_000_000, TimeSpan.FromSeconds(secondsPerMegabyte));
        _pace.Prefill.Observe(1e9, TimeSpan.FromSeconds(secondsPerGiga));
    }
}
