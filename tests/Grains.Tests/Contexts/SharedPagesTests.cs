using Granary.Contexts;
using Granary.Grains.Tests.Hosting;

namespace Granary.Grains.Tests.Contexts;

/// <summary>A page is computed once a silo, stored once a store and held once in memory, whoever asks (invariants 8 and 12).</summary>
[Collection("Engine")]
public sealed class SharedPagesTests(OneSilo silo) : IClassFixture<OneSilo>
{
    private const int PageTokens = 256;
    private const int Contexts = 8;

    [Fact, Trait("Invariant", "8")]
    public async Task Create_SameIdsAtOnceUnderManyNames_ComputesStoresAndHoldsEachPageOnce()
    {
        var ids = OneSilo.Ids(600, 21);
        var (stored, held) = (await ChunksAsync(silo), silo.Registry.Budget.UsedBytes);
        using var prefilled = new TokenCount("granary.prefill.tokens");
        using var persisted = new TokenCount("granary.persist.bytes");

        var created = await Task.WhenAll(Enumerable.Range(0, Contexts).Select(number => OneSilo.CreateAsync(silo.Context($"same-{number}"), TokenInput.OfTokens(ids))));

        var one = created[0].Context;
        Assert.Equal(ids.Length, prefilled.Total);
        Assert.Equal(ids.Length, created.Sum(static context => context.PrefilledTokens));
        Assert.Equal(one.StoredBytes, persisted.Total);
        Assert.Equal(one.StoredBytes, created.Sum(static context => context.WrittenBytes));
        Assert.All(created, context => Assert.Equal(one.StoredBytes, context.Context.StoredBytes));
        Assert.Equal(3, (await ChunksAsync(silo)) - stored);
        await EvictAsync(Contexts - 1); // the last of them holds all that was held for any
        var held1 = silo.Registry.Budget.UsedBytes - held;
        await silo.Context($"same-{Contexts - 1}").EvictAsync();
        Assert.Equal(held1, await HeldByAsync("alone", OneSilo.Ids(600, 22)));
    }

    [Fact]
    public async Task Create_OverAStoredPrefix_ComputesTheRestAlone()
    {
        var ids = OneSilo.Ids((2 * PageTokens) + 88, 23);
        await OneSilo.CreateAsync(silo.Context("prefix"), TokenInput.OfTokens(ids[..(2 * PageTokens)]));
        await silo.Context("prefix").EvictAsync();

        var longer = await OneSilo.CreateAsync(silo.Context("longer"), TokenInput.OfTokens(ids));
        var other = await OneSilo.CreateAsync(silo.Context("other"), TokenInput.OfTokens([.. ids[..PageTokens], .. OneSilo.Ids(40, 24)]));

        Assert.Equal((88, 2 * PageTokens), (longer.PrefilledTokens, longer.RestoredTokens));
        Assert.Equal((40, 0), (other.PrefilledTokens, other.RestoredTokens)); // its first page is in memory
        Assert.True(longer.WrittenBytes < longer.Context.StoredBytes / 4);
    }

    [Fact]
    public async Task Hold_TwoContextsOfOnePrefix_CountItOnce()
    {
        var prefix = OneSilo.Ids(2 * PageTokens, 25);
        var first = await HeldByAsync("first", [.. prefix, .. OneSilo.Ids(10, 26)], evict: false);
        var second = await HeldByAsync("second", [.. prefix, .. OneSilo.Ids(10, 27)], evict: false);

        Assert.Equal(first / ((2 * PageTokens) + 10) * 10, second);
        await silo.Context("first").EvictAsync();
        await silo.Context("second").EvictAsync();
    }

    [Fact]
    public async Task Create_SameIdsOnTwoSilosOfAStore_StoresOnceAndTheSecondRestores()
    {
        await using var second = new SecondSilo(silo.Store);
        await second.InitializeAsync();
        var ids = OneSilo.Ids(600, 28);
        var before = await ChunksAsync(silo);

        var here = await OneSilo.CreateAsync(silo.Context("here"), TokenInput.OfTokens(ids));
        var there = await OneSilo.CreateAsync(second.Context("there"), TokenInput.OfTokens(ids));

        Assert.Equal((600, 0), (here.PrefilledTokens, here.RestoredTokens));
        Assert.Equal((0, 600, 0L), (there.PrefilledTokens, there.RestoredTokens, there.WrittenBytes));
        Assert.Equal(3, await ChunksAsync(silo) - before);
    }

    [Fact, Trait("Invariant", "12")]
    public async Task Create_SameIdsOfTwoTenants_ShareNothing()
    {
        var ids = OneSilo.Ids(300, 29);
        var before = await ChunksAsync(silo);

        var mine = await OneSilo.CreateAsync(silo.Context("mine"), TokenInput.OfTokens(ids));
        var yours = await OneSilo.CreateAsync(silo.Context("yours", tenant: "acme"), TokenInput.OfTokens(ids));

        Assert.Equal((300, 300), (mine.PrefilledTokens, yours.PrefilledTokens));
        Assert.Equal(4, await ChunksAsync(silo) - before);
    }

    private async Task<long> HeldByAsync(string name, int[] ids, bool evict = true)
    {
        var before = silo.Registry.Budget.UsedBytes;
        await OneSilo.CreateAsync(silo.Context(name), TokenInput.OfTokens(ids));
        var held = silo.Registry.Budget.UsedBytes - before;
        if (evict)
        {
            await silo.Context(name).EvictAsync();
        }

        return held;
    }

    private async Task EvictAsync(int contexts)
    {
        for (var number = 0; number < contexts; number++)
        {
            await silo.Context($"same-{number}").EvictAsync();
        }
    }

    private static async Task<int> ChunksAsync(OneSilo host) =>
        await host.Store.ListAsync("chunks/", TestContext.Current.CancellationToken).CountAsync(TestContext.Current.CancellationToken);
}
