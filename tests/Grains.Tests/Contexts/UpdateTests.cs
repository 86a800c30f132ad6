using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Contexts;
using Granary.Grains.Tests.Hosting;
using Granary.Models;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Grains.Tests.Contexts;

/// <summary>Expiry, pin and labels: what changes without a new version.</summary>
[Collection("Engine")]
public sealed class UpdateTests(UpdateTests.ClockedSilo silo) : IClassFixture<UpdateTests.ClockedSilo>
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly AskRequest Ask = new() { Prompt = TokenInput.OfTokens(5, 6, 7), Options = new GenerationOptions { MaxNewTokens = 2, IgnoreEos = true } };

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task UpdateAsync_Labels_AreSetAndRemovedAndTheVersionStays()
    {
        var context = silo.Context("labels");
        await CreateAsync(context, new CreateContextRequest { Input = TokenInput.OfTokens(1, 2, 3), Labels = { ["a"] = "1", ["b"] = "2" } });

        var updated = await context.UpdateAsync(new UpdateContextRequest { SetLabels = { ["b"] = "3", ["c"] = "4" }, RemoveLabels = ["a", "none"], IfVersion = 1 });

        Assert.Equal((1L, true), (updated.Version, updated.Resident));
        Assert.Equal("b=3,c=4", Show(updated.Labels));
        await silo.DeactivateAllAsync();
        Assert.Equal("b=3,c=4", Show((await context.GetAsync()).Labels));
        Assert.Equal("resident", (await AskAsync(await ReadyAsync(context), ifVersion: 1)).Plan.Decision);
    }

    [Fact, Trait("Invariant", "4")]
    public async Task UpdateAsync_SentAgain_CountsOnce()
    {
        var context = silo.Context("again");
        await CreateAsync(context, new CreateContextRequest { Input = TokenInput.OfTokens(1, 2, 3), OperationId = "made" });
        await context.UpdateAsync(new UpdateContextRequest { SetLabels = { ["a"] = "1" }, OperationId = "one" });
        await context.UpdateAsync(new UpdateContextRequest { SetLabels = { ["a"] = "2" }, OperationId = "two" });
        await silo.DeactivateAllAsync();

        Assert.Equal("a=2", Show((await context.UpdateAsync(new UpdateContextRequest { SetLabels = { ["a"] = "1" }, OperationId = "one" })).Labels));
        await AssertFailsAsync(ErrorCodes.InvalidArgument, () => context.UpdateAsync(new UpdateContextRequest { SetLabels = { ["a"] = "1" }, OperationId = "made" }));
        await context.DeleteAsync();
        await AssertFailsAsync(ErrorCodes.ContextNotFound, () => context.UpdateAsync(new UpdateContextRequest { SetLabels = { ["a"] = "1" }, OperationId = "one" }));
        await CreateAsync(context, new CreateContextRequest { Input = TokenInput.OfTokens(1, 2, 3) });
        await AssertFailsAsync(ErrorCodes.ContextConflict, () => context.UpdateAsync(new UpdateContextRequest { SetLabels = { ["a"] = "1" }, OperationId = "one" }));
    }

    [Fact, Trait("Invariant", "4")]
    public async Task UpdateAsync_ManyAtOnceInTwoProcessesBesideGrowth_AllAreThere()
    {
        const int Each = 8;
        var context = silo.Context("busy");
        await CreateAsync(context, new CreateContextRequest { Input = TokenInput.OfTokens(1, 2, 3) });
        await using var other = new SecondSilo(silo.Store);
        await other.InitializeAsync();

        var updates = new[] { context, other.Context("busy") }.SelectMany(static (one, process) => Enumerable.Range(0, Each).Select(i =>
            one.UpdateAsync(new UpdateContextRequest { SetLabels = { [$"{process}.{i}"] = "x" } })));
        var growth = Enumerable.Range(0, 4).Select(async i =>
            await context.AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(10 + i) }, Stopping).LastAsync(Stopping));
        await Task.WhenAll([.. updates, .. growth]);

        await silo.DeactivateAllAsync();
        var description = await context.GetAsync();
        Assert.Equal((5L, 7, 2 * Each), (description.Version, description.Tokens, description.Labels.Count));
    }

    [Fact, Trait("Invariant", "4")]
    public async Task AppendAsync_LabelledAndPinnedElsewhereMeanwhile_KeepsBoth()
    {
        const string key = $"contexts/default/{OneSilo.Model}/overtaken.json";
        var overtaken = new OvertakenStore(silo.Store);
        await using var other = new SecondSilo(overtaken);
        await other.InitializeAsync();
        await OneSilo.CreateAsync(other.Context("overtaken"), TokenInput.OfTokens(1, 2, 3));
        var manifests = new ManifestStore(silo.Store);
        overtaken.Overtake(key, async () =>
        {
            var stored = (await manifests.FindAsync("default", OneSilo.Model, "overtaken", Stopping))!;
            await manifests.CommitAsync(
                stored.Manifest with { Labels = new Dictionary<string, string> { ["a"] = "1" }, PinnedUntil = DateTimeOffset.MaxValue, Expires = DateTimeOffset.MaxValue }, stored, Stopping);
        });

        var grown = (await other.Context("overtaken").AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(4) }, Stopping).LastAsync(Stopping)).Result!;

        Assert.Equal((2L, "a=1"), (grown.Context.Version, Show(grown.Context.Labels)));
        Assert.Equal((DateTimeOffset.MaxValue, DateTimeOffset.MaxValue), (grown.Context.PinnedUntil!.Value, grown.Context.Expires!.Value));
    }

    [Fact]
    public async Task UpdateAsync_Expiry_IsSetMovedTakenAwayAndHeeded()
    {
        var context = silo.Context("expiring");
        await CreateAsync(context, new CreateContextRequest { Input = TokenInput.OfTokens(1, 2, 3), TimeToLive = Hour });
        var now = silo.Clock.GetUtcNow();

        Assert.Equal(now + (2 * Hour), (await context.UpdateAsync(new UpdateContextRequest { Expiry = new ContextExpiry { TimeToLive = 2 * Hour } })).Expires);
        Assert.Equal(now + (3 * Hour), (await context.UpdateAsync(new UpdateContextRequest { Expiry = new ContextExpiry { Expires = (now + (3 * Hour)).ToOffset(Hour) } })).Expires);
        Assert.Null((await context.UpdateAsync(new UpdateContextRequest { Expiry = ContextExpiry.Never })).Expires);
        Assert.Equal(now, (await context.UpdateAsync(new UpdateContextRequest { Expiry = ContextExpiry.Now, OperationId = "end" })).Expires);

        await AssertFailsAsync(ErrorCodes.ContextNotFound, () => context.GetAsync());
        await AssertFailsAsync(ErrorCodes.ContextNotFound, () => AskAsync(context));
        await AssertFailsAsync(ErrorCodes.ContextNotFound, () => context.UpdateAsync(new UpdateContextRequest { Expiry = ContextExpiry.Never }));
        Assert.Equal(now, (await context.UpdateAsync(new UpdateContextRequest { Expiry = ContextExpiry.Now, OperationId = "end" })).Expires);
    }

    [Fact]
    public async Task ListContextsPageAsync_WhatTheManifestDoesNotSay_IsAsItIsNow()
    {
        var context = silo.Context("listed");
        await CreateAsync(context, new CreateContextRequest { Input = TokenInput.OfTokens(1, 2, 3), TimeToLive = Hour, Labels = { ["listed"] = "" } });
        Assert.True(Assert.Single(await ListAsync()).Resident);

        await context.EvictAsync();
        Assert.False(Assert.Single(await ListAsync()).Resident); // the same manifest as before

        silo.Clock.Advance(Hour);
        Assert.Empty(await ListAsync());

        async Task<ContextDescription[]> ListAsync() =>
            (await silo.Grains.GetGrain<ICatalogGrain>("default").ListContextsPageAsync(new ContextListRequest { Labels = ["listed"] }, Stopping)).Items;
    }

    [Fact]
    public async Task AskAsync_RefreshOnHit_MovesTheExpiryAtMostOnceInATenth()
    {
        var context = silo.Context("sliding");
        await CreateAsync(context, new CreateContextRequest { Input = TokenInput.OfTokens(1, 2, 3), TimeToLive = Hour, RefreshOnHit = true });
        var made = silo.Clock.GetUtcNow();
        silo.Clock.Advance(Hour / 20);
        await AskAsync(context);
        Assert.Equal(made + Hour, (await context.GetAsync()).Expires);

        silo.Clock.Advance(Hour / 2);
        var hit = silo.Clock.GetUtcNow();
        await AskAsync(context);
        await Wait.UntilAsync(async () => (await context.GetAsync()).Expires == hit + Hour, "the hit did not move the expiry");
        silo.Clock.Advance(Hour / 2);
        await context.ScoreAsync(ScoreRequest.Of(TokenInput.OfTokens(9)), Stopping).LastAsync(Stopping);
        await Wait.UntilAsync(async () => (await context.GetAsync()).Expires == hit + (Hour * 1.5), "the score did not move the expiry");
        Assert.Equal(hit + (2 * Hour), (await GrowAfterAsync(context, Hour / 2)).Expires);

        silo.Clock.Advance(Hour);
        await AssertFailsAsync(ErrorCodes.ContextNotFound, () => AskAsync(context)); // the hit comes too late
        await silo.DeactivateAllAsync();
        await AssertFailsAsync(ErrorCodes.ContextNotFound, () => context.GetAsync());
    }

    [Fact, Trait("Invariant", "4")]
    public async Task AskAsync_RefreshFailsOrComesTooLate_IsAnsweredAndNothingIsRevived()
    {
        const string key = $"contexts/default/{OneSilo.Model}/late.json";
        var overtaken = new OvertakenStore(silo.Store);
        await using var other = new SecondClockedSilo(overtaken);
        await other.InitializeAsync();
        var context = other.Context("late");
        var made = (await CreateAsync(context, new CreateContextRequest { Input = TokenInput.OfTokens(1, 2, 3), TimeToLive = Hour, RefreshOnHit = true })).Context.Created;
        var failed = new TaskCompletionSource();
        overtaken.Overtake(key, () =>
        {
            failed.SetResult();
            throw new StorageException(ErrorCodes.StoreUnavailable, "down", "wait");
        });

        other.Clock.Advance(Hour / 2);
        await AskAsync(context);
        await failed.Task.WaitAsync(TimeSpan.FromSeconds(20), Stopping);
        Assert.Equal(made + Hour, (await context.GetAsync()).Expires);

        var ended = new TaskCompletionSource();
        overtaken.Overtake(key, async () =>
        {
            var manifests = new ManifestStore(silo.Store);
            var stored = (await manifests.FindAsync("default", OneSilo.Model, "late", Stopping))!;
            await manifests.CommitAsync(stored.Manifest with { Expires = other.Clock.GetUtcNow() }, stored, Stopping); // another process expires it, just before
            ended.SetResult();
        });
        await Wait.UntilAsync(
            async () =>
            {
                try
                {
                    await AskAsync(context); // each hit tries, once the refresh before has ended
                }
                catch (GranaryException e) when (e.Code is ErrorCodes.ContextNotFound or ErrorCodes.ContextConflict)
                {
                    // It has been ended.
                }

                return ended.Task.IsCompleted;
            },
            "no hit tried to move the expiry again");
        await Wait.UntilAsync(
            async () =>
            {
                try
                {
                    return (await context.GetAsync()) is null;
                }
                catch (GranaryException e) when (e.Code == ErrorCodes.ContextNotFound)
                {
                    return true;
                }
            },
            "what had expired came back");
    }

    [Fact, Trait("Invariant", "4")]
    public async Task AppendAsync_ContextExpiresMeanwhile_IsNotFoundAndNothingIsRevived()
    {
        var overtaken = new OvertakenStore(silo.Store);
        await using var other = new SecondClockedSilo(overtaken);
        await other.InitializeAsync();
        var context = other.Context("overtime");
        await CreateAsync(context, new CreateContextRequest { Input = TokenInput.OfTokens(1, 2, 3), TimeToLive = Hour, RefreshOnHit = true });
        overtaken.Overtake("chunks/", () =>
        {
            other.Clock.Advance(2 * Hour);
            return Task.CompletedTask;
        });

        await AssertFailsAsync(ErrorCodes.ContextNotFound, async () => await context.AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(4) }, Stopping).LastAsync(Stopping));
        var stored = (await new ManifestStore(silo.Store).FindAsync("default", OneSilo.Model, "overtime", Stopping))!.Manifest;
        Assert.Equal((1L, false), (stored.Version, stored.IsAliveAt(other.Clock.GetUtcNow())));
    }

    [Theory]
    [InlineData(null, -1)] // a commit that takes minutes is no reason to call a context gone that does not expire
    [InlineData(3600.0 * 24, -1)]
    [InlineData(300.0, 300)]
    [InlineData(0.0, 1e-7)]
    public async Task Left_Context_IsItsTimeOrWithoutEnd(double? lives, double left)
    {
        await CreateAsync(silo.Context("left"), new CreateContextRequest { Input = TokenInput.OfTokens(1, 2, 3) });
        var (manifest, now) = ((await new ManifestStore(silo.Store).FindAsync("default", OneSilo.Model, "left", Stopping))!.Manifest, silo.Clock.GetUtcNow());
        var expires = lives is { } seconds ? now + TimeSpan.FromSeconds(seconds) : (DateTimeOffset?)null;
        Assert.Equal(left < 0 ? Timeout.InfiniteTimeSpan : TimeSpan.FromSeconds(left), Lifetimes.Left(manifest with { Expires = expires }, now));
    }

    [Fact]
    public async Task AskAsync_WithoutRefresh_LeavesTheExpiryAlone()
    {
        var context = silo.Context("fixed");
        var made = (await CreateAsync(context, new CreateContextRequest { Input = TokenInput.OfTokens(1, 2, 3), TimeToLive = Hour, RefreshOnHit = true })).Context.Created;
        await context.UpdateAsync(new UpdateContextRequest { Expiry = new ContextExpiry { TimeToLive = Hour } });
        silo.Clock.Advance(Hour / 2);
        await AskAsync(context);
        Assert.Equal((made + Hour, null), ((await context.GetAsync()).Expires, (await context.GetAsync()).TimeToLive));
    }

    [Fact]
    public async Task EvictAsync_WhilePinned_IsRefused()
    {
        var context = silo.Context("pinned");
        await CreateAsync(context, new CreateContextRequest { Input = TokenInput.OfTokens(1, 2, 3) });
        var pinned = await context.UpdateAsync(new UpdateContextRequest { Pin = new ContextPin { Duration = Hour } });
        Assert.Equal(silo.Clock.GetUtcNow() + Hour, pinned.PinnedUntil);
        await AssertFailsAsync(ErrorCodes.InvalidArgument, () => context.EvictAsync());
        silo.Clock.Advance(Hour);
        Assert.True(await context.EvictAsync());

        await context.UpdateAsync(new UpdateContextRequest { Pin = ContextPin.Endless });
        await AssertFailsAsync(ErrorCodes.InvalidArgument, () => context.EvictAsync());
        Assert.Null((await context.UpdateAsync(new UpdateContextRequest { Unpin = true })).PinnedUntil);
        await context.EvictAsync();
    }

    [Fact]
    public async Task UpdateAsync_WhatCannotBe_IsRefused()
    {
        var context = silo.Context("refused");
        await AssertFailsAsync(ErrorCodes.ContextNotFound, () => context.UpdateAsync(new UpdateContextRequest { Unpin = true }));
        await CreateAsync(context, new CreateContextRequest { Input = TokenInput.OfTokens(1, 2, 3) });
        var now = silo.Clock.GetUtcNow();
        UpdateContextRequest[] wrong =
        [
            new(),
            new() { Pin = ContextPin.Endless, Unpin = true },
            new() { Pin = new ContextPin { Duration = TimeSpan.Zero } },
            new() { Pin = new ContextPin { Until = now } },
            new() { Pin = new ContextPin { Until = now + Hour, Duration = Hour } },
            new() { Expiry = new ContextExpiry { Expires = now } },
            new() { Expiry = new ContextExpiry { TimeToLive = -Hour } },
            new() { Expiry = new ContextExpiry { TimeToLive = Hour, Expires = now + Hour } },
            new() { Expiry = new ContextExpiry { Expires = now + Hour, RefreshOnHit = true } },
            new() { SetLabels = { [""] = "1" } },
            new() { SetLabels = { ["a=b"] = "1" } },
            new() { SetLabels = { ["a"] = "\n" } },
            new() { SetLabels = { ["a"] = new string('x', 1025) } },
            new() { SetLabels = Enumerable.Range(0, 257).ToDictionary(static i => $"{i}", static i => "1") },
            new() { RemoveLabels = [new string('x', 129)] },
        ];
        foreach (var request in wrong)
        {
            await AssertFailsAsync(ErrorCodes.InvalidArgument, () => context.UpdateAsync(request));
        }

        await AssertFailsAsync(ErrorCodes.ContextConflict, () => context.UpdateAsync(new UpdateContextRequest { Unpin = true, IfVersion = 2 }));
        await AssertFailsAsync(ErrorCodes.InvalidArgument, () => CreateAsync(silo.Context("bad"), new CreateContextRequest { Input = TokenInput.OfTokens(1), Labels = { ["="] = "" } }));
        await AssertFailsAsync(ErrorCodes.InvalidArgument, () => CreateAsync(silo.Context("bad"), new CreateContextRequest { Input = TokenInput.OfTokens(1), RefreshOnHit = true }));
        await context.UpdateAsync(new UpdateContextRequest { Expiry = new ContextExpiry { TimeToLive = TimeSpan.MaxValue } });
        Assert.Equal(DateTimeOffset.MaxValue, (await context.GetAsync()).Expires);
    }

    private async Task<ContextDescription> GrowAfterAsync(IContextGrain context, TimeSpan wait)
    {
        silo.Clock.Advance(wait);
        return (await context.AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(4) }, Stopping).LastAsync(Stopping)).Result!.Context;
    }

    private static async Task<IContextGrain> ReadyAsync(IContextGrain context)
    {
        await AskAsync(context);
        return context;
    }

    private static string Show(Dictionary<string, string> labels) => string.Join(',', labels.OrderBy(static label => label.Key, StringComparer.Ordinal).Select(static label => $"{label.Key}={label.Value}"));

    private static Task<Answer> AskAsync(IContextGrain context, long? ifVersion = null) => OneSilo.EndAsync(context.AskAsync(Ask with { IfVersion = ifVersion }, Stopping));

    private static async Task<ContextCreated> CreateAsync(IContextGrain context, CreateContextRequest request) => (await context.CreateAsync(request, Stopping).LastAsync(Stopping)).Result!;

    private static async Task AssertFailsAsync(string code, Func<Task> act) => Assert.Equal(code, (await Assert.ThrowsAsync<GranaryException>(act)).Code);

    /// <summary>A silo whose calendar is the test's; what it measures, and what it waits for, is real.</summary>
    public sealed class ClockedSilo : OneSilo
    {
        public Calendar Clock { get; } = new();

        protected override TimeProvider Time => Clock;
    }

    private sealed class SecondClockedSilo(IObjectStore store) : OneSilo
    {
        public override IObjectStore Store => store;

        public Calendar Clock { get; } = new();

        protected override TimeProvider Time => Clock;
    }

    /// <summary>The time of day moves when it is told to, and what is measured jumps with it; timers are the system's.</summary>
    public sealed class Calendar : TimeProvider
    {
        private readonly FakeTimeProvider _day = new(System.GetUtcNow());
        private long _jumped;

        public void Advance(TimeSpan by)
        {
            _day.Advance(by);
            Interlocked.Add(ref _jumped, (long)(by.TotalSeconds * TimestampFrequency));
        }

        public override DateTimeOffset GetUtcNow() => _day.GetUtcNow();

        public override long GetTimestamp() => base.GetTimestamp() + Interlocked.Read(ref _jumped);
    }
}
