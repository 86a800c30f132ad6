using Granary.Contexts;
using Granary.Grains.Tests.Hosting;
using Granary.Storage.Manifests;

namespace Granary.Grains.Tests.Contexts;

/// <summary>A read that does not end costs little more than computing what it would have brought.</summary>
[Collection("Engine")]
public sealed class SilentReadTests(PlanningOutageSilo silo) : IClassFixture<PlanningOutageSilo>, IDisposable
{
    private const int Tokens = 600;
    private static readonly TimeSpan MostAnswer = TimeSpan.FromSeconds(9); // one page's patience, and three pages on a machine that does other things; the store's own bounds are 41 s

    private static readonly AskRequest Ask = new()
    {
        Prompt = TokenInput.OfTokens(5, 6, 7),
        Options = new GenerationOptions { MaxNewTokens = 4, IgnoreEos = true, LogProbabilities = true },
    };

    public void Dispose() => silo.Outage.End();

    [Fact, Trait("Invariant", "11")]
    public async Task Generate_StoreFallsSilent_IsComputedWithoutWaitingForTheStoresBounds()
    {
        var request = new GenerateRequest { Context = TokenInput.OfTokens(OneSilo.Ids(Tokens, 62)), Prompt = Ask.Prompt, Options = Ask.Options };
        var expected = await OneSilo.EndAsync(silo.Nameless().GenerateAsync(request with { NoCache = true }));
        silo.KnowThatTheStoreIsQuick();
        silo.Outage.BeginSilence();

        var (during, took) = await TimeAsync(() => OneSilo.EndAsync(silo.Nameless().GenerateAsync(request)));

        AssertSame(expected, during);
        Assert.Equal(Tokens, during.Usage.RecomputedTokens);
        Assert.StartsWith("the store did not give a page within 2", during.Plan.Reason, StringComparison.Ordinal);
        Assert.InRange(took, TimeSpan.Zero, MostAnswer);
    }

    [Fact, Trait("Invariant", "11")]
    public async Task Ask_StoreFallsSilentWithinARestore_IsComputedWithoutWaitingForTheStoresBounds()
    {
        var context = silo.Context("midway-silent");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(Tokens, 63)));
        var before = await OneSilo.EndAsync(context.AskAsync(Ask));
        await context.EvictAsync();
        silo.KnowThatTheStoreIsQuick();
        silo.Outage.BeginSilence(); // the last check is young: the first thing to meet it is the read of a page

        var (during, took) = await TimeAsync(() => OneSilo.EndAsync(context.AskAsync(Ask)));

        AssertSame(before, during);
        Assert.Equal(Tokens, during.Usage.RecomputedTokens);
        Assert.StartsWith("the store did not give a page within 2", during.Plan.Reason, StringComparison.Ordinal);
        Assert.InRange(took, TimeSpan.Zero, MostAnswer);
    }

    [Fact, Trait("Invariant", "11")]
    public async Task Ask_StoreFallsSilentWithinTheRestoreOfACutOffCreation_IsComputedToo()
    {
        var context = silo.Context("cut-silent");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(Tokens, 65)));
        var before = await OneSilo.EndAsync(context.AskAsync(Ask));
        await context.EvictAsync();
        var manifests = new ManifestStore(silo.Steady);
        var stored = (await manifests.FindAsync("default", OneSilo.Model, "cut-silent", TestContext.Current.CancellationToken))!;
        await manifests.CommitAsync(stored.Manifest with { State = ManifestStates.Accepted }, stored, TestContext.Current.CancellationToken);
        await Task.Delay(TimeSpan.FromSeconds(1.05), TimeProvider.System, TestContext.Current.CancellationToken); // the age of a check
        Assert.Equal("accepted", (await context.GetAsync()).State);
        silo.KnowThatTheStoreIsQuick();
        silo.Outage.BeginSilence();

        var (during, took) = await TimeAsync(() => OneSilo.EndAsync(context.AskAsync(Ask)));

        AssertSame(before, during);
        Assert.Equal(Tokens, during.Usage.RecomputedTokens);
        Assert.InRange(took, TimeSpan.Zero, MostAnswer);
    }

    private static void AssertSame(Answer expected, Answer actual)
    {
        Assert.Equal(expected.TokenIds, actual.TokenIds);
        Assert.Equal(expected.LogProbabilities, actual.LogProbabilities);
    }

    private static async Task<(Answer Result, TimeSpan Took)> TimeAsync(Func<Task<Answer>> act)
    {
        var started = TimeProvider.System.GetTimestamp();
        var result = await act();
        return (result, TimeProvider.System.GetElapsedTime(started));
    }
}
