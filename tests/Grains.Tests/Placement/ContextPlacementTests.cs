using System.Net;
using Granary.Grains.Placement;
using Microsoft.Extensions.Time.Testing;
using Orleans.Runtime.Placement;

namespace Granary.Grains.Tests.Placement;

public sealed class ContextPlacementTests
{
    private const long ContextBytes = 1 << 20;
    private const long Roomy = 1000 * ContextBytes;
    private readonly FakeTimeProvider _time = new();
    private readonly SiloInventory _inventory;
    private readonly ContextPlacementDirector _director;

    public ContextPlacementTests()
    {
        _inventory = new SiloInventory(_time);
        _director = new ContextPlacementDirector(_inventory);
    }

    [Fact]
    public async Task OnAddActivation_BurstWithinOneRoundOfGossip_IsSpread()
    {
        Note(1, Roomy, "a");
        Note(2, Roomy, "a");
        Note(3, Roomy, "a");

        var placed = await PlaceAsync("a", 90);

        Assert.All(Enumerable.Range(1, 3), silo => Assert.InRange(placed[silo], 15, 45));
    }

    [Fact]
    public async Task OnAddActivation_SilosOfTwoModels_PlacesEachWhereItsModelIsServed()
    {
        Note(1, Roomy, "a");
        Note(2, Roomy, "b");
        Note(3, Roomy);

        Assert.Equal([1], (await PlaceAsync("a", 10)).Keys);
        Assert.Equal([2], (await PlaceAsync("b", 10)).Keys);
    }

    [Fact]
    public async Task OnAddActivation_OneSiloIsFull_GetsNoneWhileAnotherHasRoom()
    {
        Note(1, ContextBytes - 1, "a");
        Note(2, 0, "a");
        Note(3, 20 * ContextBytes, "a");

        Assert.Equal([3], (await PlaceAsync("a", 20)).Keys);
        Assert.True((await PlaceAsync("a", 90)).Count > 1, "All are full now: they share what comes.");
    }

    [Fact]
    public async Task OnAddActivation_SiloJoinsLater_GetsMostOfWhatIsNew()
    {
        Note(1, 100 * ContextBytes, "a");
        Note(2, 100 * ContextBytes, "a");
        await PlaceAsync("a", 30);
        Note(3, Roomy, "a");

        Assert.InRange((await PlaceAsync("a", 90))[3], 46, 90);
    }

    [Fact]
    public async Task OnAddActivation_SiloDrains_IsSkipped()
    {
        Note(1, Roomy, "a");
        _inventory.Note(Silo(2), Stock(2, Roomy, "a") with { Draining = true });

        Assert.Equal([1], (await PlaceAsync("a", 20)).Keys);
    }

    [Fact]
    public async Task OnAddActivation_ModelIsServedNowhere_SaysWhatIs()
    {
        Note(1, Roomy, "b", "a");
        Note(2, Roomy, "b");
        Note(3, Roomy);

        Assert.Equal("NoWorker: No active silo serves model 'x'; served are a (1 of 3 silos), b (2 of 3 silos).", await RefuseAsync("x"));
    }

    [Fact]
    public async Task OnAddActivation_OnlyDrainingSilosServeIt_SaysSo()
    {
        _inventory.Note(Silo(2), Stock(2, Roomy, "a") with { Draining = true });

        Assert.Equal("NoWorker: Model 'a' is served by silos alone that are about to leave (silo-2); none of 1 silos serves another one.", await RefuseAsync("a"));
    }

    [Fact]
    public async Task RoomOf_WhatWasPlacedIsOld_CountsNoMore()
    {
        Note(1, Roomy, "a");
        await PlaceAsync("a", 5);
        Assert.Equal(new SiloRoom(Roomy - (5 * ContextBytes), 5), _inventory.RoomOf(Silo(1), ContextBytes));

        _time.Advance(TimeSpan.FromSeconds(2.1));
        Assert.Equal(new SiloRoom(Roomy, 0), _inventory.RoomOf(Silo(1), ContextBytes));
    }

    [Fact]
    public void GetContextBytes_SomeHoldContexts_IsTheirMean()
    {
        _inventory.Note(Silo(1), new SiloStock("silo-1", ["a"], Roomy, PageBytes: 700));
        Assert.Equal(700, _inventory.GetContextBytes());

        _inventory.Note(Silo(2), new SiloStock("silo-2", ["a"], Roomy, ContextBytes: 40, PageBytes: 700));
        _inventory.Note(Silo(3), new SiloStock("silo-3", ["a"], Roomy, ContextBytes: 20, PageBytes: 700));
        Assert.Equal(30, _inventory.GetContextBytes());
    }

    private async Task<SortedDictionary<int, int>> PlaceAsync(string model, int contexts)
    {
        var placed = new SortedDictionary<int, int>();
        for (var number = 0; number < contexts; number++)
        {
            var silo = await _director.OnAddActivation(new ContextPlacement(), Target(model), new EverySilo(_inventory));
            placed[silo.Endpoint.Port] = placed.GetValueOrDefault(silo.Endpoint.Port) + 1;
        }

        return placed;
    }

    private async Task<string> RefuseAsync(string model) =>
        (await Assert.ThrowsAsync<OrleansException>(() => _director.OnAddActivation(new ContextPlacement(), Target(model), new EverySilo(_inventory)))).Message;

    private void Note(int silo, long freeBytes, params string[] models) => _inventory.Note(Silo(silo), Stock(silo, freeBytes, models));

    private static SiloStock Stock(int silo, long freeBytes, params string[] models) => new($"silo-{silo}", models, freeBytes, ContextBytes: ContextBytes);

    private static SiloAddress Silo(int number) => SiloAddress.New(new IPEndPoint(IPAddress.Loopback, number), 1);

    private static PlacementTarget Target(string model) => new(GrainId.Create("context", $"default/{model}/{Guid.NewGuid():N}"), [], default, 0);

    private sealed class EverySilo(SiloInventory inventory) : IPlacementContext
    {
        public SiloAddress LocalSilo => Silo(1);

        public SiloStatus LocalSiloStatus => SiloStatus.Active;

        public SiloAddress[] GetCompatibleSilos(PlacementTarget target) => [.. inventory.Stocks.Keys];

        public IReadOnlyDictionary<ushort, SiloAddress[]> GetCompatibleSilosWithVersions(PlacementTarget target) => throw new NotSupportedException();
    }
}
