using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Residency;
using Granary.Grains.Stores;
using Granary.Grains.Tests.Hosting;
using Granary.Storage.Chunks;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Stores;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Tests.Contexts;

/// <summary>Tenants have nothing in common (invariant 12), and none can take what another was given.</summary>
[Collection("Engine")]
public sealed class TenantTests(TenantTests.BudgetedSilo silo) : IClassFixture<TenantTests.BudgetedSilo>
{
    private const int Tokens = 300; // two pages
    private static readonly AskRequest Ask = new() { Prompt = TokenInput.OfTokens(5, 6, 7), Options = new GenerationOptions { MaxNewTokens = 4, IgnoreEos = true, LogProbabilities = true } };

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact, Trait("Invariant", "12")]
    public async Task CreateAsync_TextThatAnotherTenantHasResident_IsComputedAndStoredAsIfThatDidNotExist()
    {
        var ids = OneSilo.Ids(Tokens, 1);
        await OneSilo.CreateAsync(silo.Context("same", "first"), TokenInput.OfTokens(ids));
        var before = await ChunksAsync("first");
        using var hits = new TokenCount("granary.prefix.hit_tokens");
        using var prefilled = new TokenCount("granary.prefill.tokens");

        var second = await OneSilo.CreateAsync(silo.Context("same", "second"), TokenInput.OfTokens(ids));

        Assert.Equal((Tokens, 0, false), (second.PrefilledTokens, second.RestoredTokens, second.Existed));
        Assert.Equal(((long)Tokens, 0L), (prefilled.Total, hits.Total));
        Assert.Equal(before, await ChunksAsync("first"));
        var own = await ChunksAsync("second");
        Assert.Equal(second.WrittenBytes, own.Sum(static chunk => chunk.Length));
        Assert.Equal((2, before.Sum(static chunk => chunk.Length)), (own.Count, second.WrittenBytes));
        var (mine, theirs) = (await HashesAsync("second"), await HashesAsync("first"));
        Assert.Empty(mine.Intersect(theirs));
        Assert.Equal(mine.Order(), own.Select(static chunk => Path.GetFileNameWithoutExtension(chunk.Key)).Order());

        // And it is gone with its own tenant only.
        await silo.Context("same", "first").DeleteAsync();
        var answer = await OneSilo.EndAsync(silo.Context("same", "second").AskAsync(Ask, Stopping));
        Assert.Equal(Tokens, answer.Usage.ResidentTokens);
        Assert.Equal(ErrorCodes.ContextNotFound, (await Assert.ThrowsAsync<GranaryException>(() => silo.Context("same", "third").GetAsync())).Code);
    }

    [Fact(Timeout = 120_000), Trait("Invariant", "10")]
    public async Task CreateAsync_TenantIsOverItsBudget_ItsOwnIdleContextsMakeRoom()
    {
        await OneSilo.CreateAsync(silo.Context("other", "free"), TokenInput.OfTokens(OneSilo.Ids(200, 2))); // the oldest of all
        for (var i = 0; i < 4; i++)
        {
            await OneSilo.CreateAsync(silo.Context($"mine-{i}", "small"), TokenInput.OfTokens(OneSilo.Ids(200, 10 + i)));
        }

        Assert.True((await silo.Context("other", "free").GetAsync()).Resident);
        var resident = await Task.WhenAll(Enumerable.Range(0, 4).Select(async i => (await silo.Context($"mine-{i}", "small").GetAsync()).Resident));
        Assert.Equal([false, false, true, true], resident);

        // All at once on what one of them fills: they take turns, and answer.
        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => OneSilo.EndAsync(silo.Context($"mine-{i % 4}", "small").AskAsync(Ask, TestContext.Current.CancellationToken))));
        for (var i = 0; i < answers.Length; i++)
        {
            Assert.Equal(answers[i % 4].LogProbabilities, answers[i].LogProbabilities);
        }

        Assert.True((await silo.Context("other", "free").GetAsync()).Resident);
    }

    [Fact, Trait("Invariant", "10")]
    public async Task AnyRequest_LargerThanTheTenantMayHold_IsRefusedAtOnce()
    {
        var before = silo.Registry.Budget.UsedBytes;
        await AssertRefusedAsync("small:ResidentBytes", () => OneSilo.CreateAsync(silo.Context("huge", "small"), TokenInput.OfTokens(OneSilo.Ids(501, 3))));
        Assert.Null(await silo.Store.HeadAsync($"contexts/small/{OneSilo.Model}/huge.json", Stopping));
        var nameless = silo.Grains.GetGrain<IContextGrain>($"small/{OneSilo.Model}/~{Guid.NewGuid():N}");
        await AssertRefusedAsync("small:ResidentBytes", () => OneSilo.EndAsync(nameless.GenerateAsync(new GenerateRequest { Context = TokenInput.OfTokens(OneSilo.Ids(498, 4)), Prompt = Ask.Prompt, Options = Ask.Options }, Stopping)));
        Assert.Equal(before, silo.Registry.Budget.UsedBytes);

        await OneSilo.CreateAsync(silo.Context("pinned", "small"), TokenInput.OfTokens(OneSilo.Ids(260, 5)));
        await AssertRefusedAsync("small:ResidentBytes", () => silo.Context("pinned", "small").UpdateAsync(new UpdateContextRequest { Pin = ContextPin.Endless }));
        await silo.Context("pinned", "small").EvictAsync();
    }

    [Fact]
    public async Task CreateAndAppendAsync_MoreThanTheTenantMayStore_AreRefusedUntilThereIsRoom()
    {
        await OneSilo.CreateAsync(silo.Context("one", "narrow"), TokenInput.OfTokens(OneSilo.Ids(Tokens, 6)));
        await AssertRefusedAsync("narrow:StoredBytes", () => OneSilo.CreateAsync(silo.Context("two", "narrow"), TokenInput.OfTokens(OneSilo.Ids(Tokens, 7))));
        Assert.Null(await silo.Store.HeadAsync($"contexts/narrow/{OneSilo.Model}/two.json", Stopping));
        await AssertRefusedAsync("narrow:StoredBytes", async () => await silo.Context("one", "narrow").AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(OneSilo.Ids(Tokens, 8)) }, Stopping).LastAsync(Stopping));
        Assert.Equal((1L, Tokens), ((await silo.Context("one", "narrow").GetAsync()).Version, (await silo.Context("one", "narrow").GetAsync()).Tokens));
        await silo.Context("fork", "narrow").ForkAsync(new ForkRequest { Parent = "one" }, Stopping).LastAsync(Stopping); // writes no chunk

        await silo.Context("one", "narrow").DeleteAsync();
        await silo.Context("fork", "narrow").DeleteAsync();
        silo.Clock.Advance(TimeSpan.FromMinutes(1)); // the store's clock is the system's: what was written is older now
        await silo.Grains.GetGrain<ISweepGrain>("narrow").SweepAsync(new StoreSweepRequest(DryRun: false, TimeSpan.Zero), Stopping).LastAsync(Stopping);
        // The figure is a minute old: good enough to admit on, but not to refuse.
        Assert.Equal(Tokens, (await OneSilo.CreateAsync(silo.Context("two", "narrow"), TokenInput.OfTokens(OneSilo.Ids(Tokens, 7)))).Context.Tokens);
    }

    [Fact]
    public async Task TakeAsync_AfterRoomWasGivenBack_CountsWhatWasWrittenAllTheSame()
    {
        var storage = new TenantStorage(new ChunkStore(silo.Store), Options.Create(new TenantsOptions { ["counted"] = new() { StoredBytes = 100 } }), silo.Clock);
        var failing = await storage.TakeAsync("failing", "counted", static () => ValueTask.FromResult(80L), Stopping);
        failing.NoteWritten(30);
        failing.Dispose();
        failing.NoteWritten(30); // a write that ends after the creation has failed
        storage.Count("counted").NoteWritten(20); // one that a restore repairs
        var error = await Assert.ThrowsAsync<GranaryException>(() => storage.TakeAsync("next", "counted", static () => ValueTask.FromResult(21L), Stopping));

        Assert.Contains("the 80 that", error.Message, StringComparison.Ordinal);
        using var next = await storage.TakeAsync("next", "counted", static () => ValueTask.FromResult(20L), Stopping);
    }

    [Theory]
    [InlineData("acme", 1, true)]
    [InlineData("*", 1, true)]
    [InlineData("shared", 1, true)]
    [InlineData("../acme", 1, false)]
    [InlineData("acme", 0, false)]
    public void Validate_Tenants_RefusesThoseThatCannotBe(string tenant, long bytes, bool succeeds)
    {
        var validator = new TenantsOptionsValidator();
        Assert.Equal(succeeds, validator.Validate(null, new TenantsOptions { [tenant] = new() { ResidentBytes = bytes } }).Succeeded);
        Assert.Equal(succeeds, validator.Validate(null, new TenantsOptions { [tenant] = new() { StoredBytes = bytes } }).Succeeded);
    }

    [Fact]
    public void Of_ATenantThatLeavesOneOpen_HasThatOfTheOthers()
    {
        var options = new TenantsOptions { ["*"] = new() { ResidentBytes = 1, StoredBytes = 2 }, ["acme"] = new() { StoredBytes = 3 } };
        Assert.Equal((1L, 3L, 2L), (options.Of("acme").ResidentBytes, options.Of("acme").StoredBytes, options.Of("beta").StoredBytes));
    }

    private static async Task AssertRefusedAsync(string setting, Func<Task> act)
    {
        var error = await Assert.ThrowsAsync<GranaryException>(() => act().WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(ErrorCodes.KvBudgetExceeded, error.Code);
        Assert.Contains($"Granary:Tenants:{setting}", error.Remedy, StringComparison.Ordinal);
    }

    private async Task<List<ObjectInfo>> ChunksAsync(string tenant) => await silo.Store.ListAsync($"chunks/{tenant}/", Stopping).ToListAsync(Stopping);

    private async Task<string[]> HashesAsync(string tenant) =>
        [.. (await new ManifestStore(silo.Store).FindAsync(tenant, OneSilo.Model, "same", Stopping))!.Manifest.Chunks.Values.Single().Select(static chunk => chunk.Hash)];

    /// <summary>A silo that holds 1,200 tokens, of one tenant no more than 500; another one may store 400.</summary>
    public sealed class BudgetedSilo : OneSilo
    {
        public UpdateTests.Calendar Clock { get; } = new();

        protected override TimeProvider Time => Clock;

        protected override long? BudgetBytes => 1200 * SmallSilo.BytesPerToken;

        protected override void Configure(TenantsOptions options)
        {
            options["small"] = new TenantOptions { ResidentBytes = 500 * SmallSilo.BytesPerToken };
            options["narrow"] = new TenantOptions { StoredBytes = 400 * SmallSilo.BytesPerToken };
        }
    }
}
