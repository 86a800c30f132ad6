using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Tests.Hosting;
using Granary.Storage.Manifests;

namespace Granary.Grains.Tests.Contexts;

/// <summary>What a context does while its store does not answer.</summary>
[Collection("Engine")] // the counters of DESIGN §9 belong to the process
public sealed class StoreDownTests(OutageSilo silo) : IClassFixture<OutageSilo>, IDisposable
{
    private const int Tokens = 600;

    // A check's age, behind which an ask checks again; the bounds themselves are what is tested.
    private static readonly TimeSpan OverAge = TimeSpan.FromSeconds(1.05);

    // The 2 s that an ask waits for a check, and what a busy machine may add.
    private static readonly TimeSpan MostAnswer = TimeSpan.FromSeconds(4.5);

    private static readonly AskRequest Ask = new()
    {
        Prompt = TokenInput.OfTokens(5, 6, 7),
        Options = new GenerationOptions { MaxNewTokens = 6, IgnoreEos = true, LogProbabilities = true },
    };

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    private OutageStore Outage => silo.Outage;

    public void Dispose() => Outage.End();

    [Theory, InlineData(true), InlineData(false), Trait("Invariant", "4")]
    public async Task Ask_StoreIsDownAndContextResident_IsServedAsLastChecked(bool isSilent)
    {
        var context = silo.Context($"resident-{isSilent}");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(Tokens, 51)));
        var before = await OneSilo.EndAsync(context.AskAsync(Ask));
        Assert.Null(before.VersionAgeSeconds);
        await BeginAsync(isSilent);

        for (var round = 0; round < 2; round++)
        {
            var (during, took) = await TimeAsync(() => OneSilo.EndAsync(context.AskAsync(Ask)));
            AssertSame(before, during);
            Assert.Equal("resident", during.Plan.Decision);
            Assert.True(during.VersionAgeSeconds > OverAge.TotalSeconds, $"The answer says versionAgeSeconds {during.VersionAgeSeconds}.");
            Assert.InRange(took, TimeSpan.Zero, MostAnswer);
        }

        Outage.End();
        var after = await OneSilo.EndAsync(context.AskAsync(Ask));
        AssertSame(before, after);
        Assert.Null(after.VersionAgeSeconds);
    }

    [Fact, Trait("Invariant", "4")]
    public async Task Ask_ManyAtOnceInSilence_ShareOneCheck()
    {
        var context = silo.Context("many");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(Tokens, 52)));
        var before = await OneSilo.EndAsync(context.AskAsync(Ask));
        await BeginAsync(isSilent: true);
        var calls = Outage.Calls;

        var (answers, took) = await TimeAsync(() => Task.WhenAll(Enumerable.Range(0, 16).Select(_ => OneSilo.EndAsync(context.AskAsync(Ask)))));

        Assert.All(answers, answer => AssertSame(before, answer));
        Assert.InRange(took, TimeSpan.Zero, MostAnswer);
        Assert.Equal(1, Outage.Calls - calls);
    }

    [Fact, Trait("Invariant", "4")]
    public async Task Ask_StoreIsSlowerThanAsksWait_ADeleteIsHeardLate()
    {
        var context = silo.Context("slow");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(Tokens, 53)));
        var before = await OneSilo.EndAsync(context.AskAsync(Ask));
        var manifests = new ManifestStore(silo.Steady);
        var stored = (await manifests.FindAsync("default", OneSilo.Model, "slow", Stopping))!;
        await manifests.CommitAsync(ManifestStore.Tombstone(stored.Manifest, TimeProvider.System.GetUtcNow()), stored, Stopping);
        Outage.Lateness = TimeSpan.FromSeconds(3);
        await Task.Delay(OverAge, TimeProvider.System, Stopping);

        var stale = await OneSilo.EndAsync(context.AskAsync(Ask)); // 2 s: the store has not said yet that it is deleted
        AssertSame(before, stale);
        Assert.NotNull(stale.VersionAgeSeconds);

        var error = await Assert.ThrowsAsync<GranaryException>(() => OneSilo.EndAsync(context.AskAsync(Ask)));
        Assert.Equal(ErrorCodes.ContextNotFound, error.Code);
    }

    [Theory, InlineData(true), InlineData(false), Trait("Invariant", "4")]
    public async Task Ask_DeletedBeforeTheOutage_StaysDeleted(bool isSilent)
    {
        var context = silo.Context($"deleted-{isSilent}");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(Tokens, 54)));
        await context.DeleteAsync();
        await BeginAsync(isSilent);

        var error = await Assert.ThrowsAsync<GranaryException>(() => OneSilo.EndAsync(context.AskAsync(Ask)));

        Assert.Equal(ErrorCodes.ContextNotFound, error.Code);
    }

    [Fact, Trait("Invariant", "4")]
    public async Task Ask_NothingWasFoundBeforeTheOutage_IsNotSaidToBeAbsent()
    {
        var context = silo.Context("made-elsewhere");
        Assert.Equal(ErrorCodes.ContextNotFound, (await Assert.ThrowsAsync<GranaryException>(() => OneSilo.EndAsync(context.AskAsync(Ask)))).Code);
        await BeginAsync(isSilent: false);

        var error = await Assert.ThrowsAsync<GranaryException>(() => OneSilo.EndAsync(context.AskAsync(Ask)));

        Assert.Equal(ErrorCodes.StoreUnavailable, error.Code);
    }

    [Theory, InlineData(true), InlineData(false), Trait("Invariant", "3")]
    public async Task Ask_StoreIsDownAndContextCold_IsComputed(bool isSilent)
    {
        var context = silo.Context($"cold-{isSilent}");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(Tokens, isSilent ? 55 : 56)));
        var before = await OneSilo.EndAsync(context.AskAsync(Ask));
        await context.EvictAsync();
        await BeginAsync(isSilent);
        var calls = Outage.Calls;

        var (during, took) = await TimeAsync(() => OneSilo.EndAsync(context.AskAsync(Ask)));

        AssertSame(before, during);
        Assert.Equal(Tokens, during.Usage.RecomputedTokens);
        Assert.StartsWith("the store does not answer; computed 600 tokens", during.Plan.Reason, StringComparison.Ordinal);
        Assert.InRange(took, TimeSpan.Zero, MostAnswer + MostAnswer); // the check, and three pages
        Assert.Equal(1, Outage.Calls - calls); // neither read nor written
    }

    [Fact, Trait("Invariant", "3")]
    public async Task Ask_StoreGoesDownWithinARestore_IsComputed()
    {
        var context = silo.Context("midway");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(Tokens, 57)));
        var before = await OneSilo.EndAsync(context.AskAsync(Ask));
        await context.EvictAsync();
        Outage.IsRefusing = true; // the last check is young: the first thing to fail is the read of a page

        var during = await OneSilo.EndAsync(context.AskAsync(Ask));

        AssertSame(before, during);
        Assert.Equal(Tokens, during.Usage.RecomputedTokens);
        Assert.StartsWith("the store does not answer; computed 600 tokens", during.Plan.Reason, StringComparison.Ordinal);
    }

    [Fact, Trait("Invariant", "3")]
    public async Task Generate_StoreIsDown_IsComputed()
    {
        var request = new GenerateRequest { Context = TokenInput.OfTokens(OneSilo.Ids(Tokens, 61)), Prompt = Ask.Prompt, Options = Ask.Options };
        var expected = await OneSilo.EndAsync(silo.Nameless().GenerateAsync(request with { NoCache = true }));
        Outage.IsRefusing = true;

        var during = await OneSilo.EndAsync(silo.Nameless().GenerateAsync(request));

        AssertSame(expected, during);
        Assert.StartsWith("the store does not answer; computed 600 tokens", during.Plan.Reason, StringComparison.Ordinal);
    }

    [Theory, Trait("Invariant", "4")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ScoreAndGet_StoreIsDown_SayHowOldTheCheckIs(bool isSilent)
    {
        var context = silo.Context($"told-{isSilent}");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(40, 64)));
        Assert.Null((await context.GetAsync()).VersionAgeSeconds);
        await BeginAsync(isSilent);

        var described = await context.GetAsync();
        var score = Assert.Single(await context.ScoreAsync(ScoreRequest.Of(TokenInput.OfTokens(5))).ToListAsync(Stopping));

        Assert.InRange(described.VersionAgeSeconds ?? -1, 1, 60);
        Assert.InRange(score.VersionAgeSeconds ?? -1, described.VersionAgeSeconds ?? -1, 60);
        Outage.End();
        Assert.Null(Assert.Single(await context.ScoreAsync(ScoreRequest.Of(TokenInput.OfTokens(5))).ToListAsync(Stopping)).VersionAgeSeconds);
    }

    [Fact, Trait("Invariant", "8")]
    public async Task Ask_CallerLeavesInSilence_EndsAtOnceAndTheNextIsAnswered()
    {
        var context = silo.Context("left-in-silence");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(Tokens, 58)));
        await BeginAsync(isSilent: true);
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        var calls = Outage.Calls;
        var left = OneSilo.EndAsync(context.AskAsync(Ask, leaving.Token));
        await Wait.UntilAsync(() => Outage.Calls > calls, "The ask did not check.");

        var (_, took) = await TimeAsync(async () =>
        {
            await leaving.CancelAsync();
            return await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        });

        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(1.5));
        Assert.Equal(6, (await OneSilo.EndAsync(context.AskAsync(Ask))).TokenIds.Length);
    }

    [Fact, Trait("Invariant", "2")]
    public async Task Create_StoreIsDown_FailsAndCanBeRepeated()
    {
        var ids = OneSilo.Ids(Tokens, 59);
        var context = silo.Context("repeated");
        Outage.IsRefusing = true;
        var error = await Assert.ThrowsAsync<GranaryException>(() => OneSilo.CreateAsync(context, TokenInput.OfTokens(ids)));
        Assert.Equal(ErrorCodes.StoreUnavailable, error.Code);
        Outage.End();

        Assert.Equal("stored", (await OneSilo.CreateAsync(context, TokenInput.OfTokens(ids))).Context.State);

        await AssertAsComputedAsync(context, ids);
    }

    [Fact, Trait("Invariant", "2")]
    public async Task Create_StoreIsSilent_IsWaitedForAndAcknowledgedAfterwards()
    {
        var ids = OneSilo.Ids(Tokens, 60);
        var context = silo.Context("waited");
        Outage.BeginSilence();
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        var calls = Outage.Calls;
        var creating = OneSilo.CreateAsync(context, TokenInput.OfTokens(ids));
        var left = silo.Context("never-accepted").CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(ids) }, leaving.Token).CountAsync(leaving.Token).AsTask();
        await Wait.UntilAsync(() => Outage.Calls > calls + 1, "The creations did not look at the store.");
        await leaving.CancelAsync(); // its caller's deadline
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        Assert.False(creating.IsCompleted, "A creation was acknowledged while the store was silent.");
        Outage.End();

        Assert.Equal("stored", (await creating).Context.State);

        await AssertAsComputedAsync(context, ids);
        Assert.Equal(ErrorCodes.ContextNotFound, (await Assert.ThrowsAsync<GranaryException>(() => OneSilo.EndAsync(silo.Context("never-accepted").AskAsync(Ask)))).Code);
    }

    private async Task BeginAsync(bool isSilent)
    {
        if (isSilent)
        {
            Outage.BeginSilence();
        }
        else
        {
            Outage.IsRefusing = true;
        }

        await Task.Delay(OverAge, TimeProvider.System, Stopping);
    }

    private async Task AssertAsComputedAsync(IContextGrain context, int[] ids)
    {
        var without = new GenerateRequest { Context = TokenInput.OfTokens(ids), Prompt = Ask.Prompt, Options = Ask.Options, NoCache = true };
        AssertSame(await OneSilo.EndAsync(silo.Nameless().GenerateAsync(without)), await OneSilo.EndAsync(context.AskAsync(Ask)));
    }

    private static void AssertSame(Answer expected, Answer actual)
    {
        Assert.Equal(expected.TokenIds, actual.TokenIds);
        Assert.Equal(expected.LogProbabilities, actual.LogProbabilities);
    }

    private static async Task<(T Result, TimeSpan Took)> TimeAsync<T>(Func<Task<T>> act)
    {
        var started = TimeProvider.System.GetTimestamp();
        var result = await act();
        return (result, TimeProvider.System.GetElapsedTime(started));
    }
}
