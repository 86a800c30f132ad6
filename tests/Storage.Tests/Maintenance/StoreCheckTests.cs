using Granary.Storage.Chunks;
using Granary.Storage.Maintenance;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Storage.Sealing;
using Granary.Storage.Tests.Chunks;
using Granary.Testing.Stores;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Storage.Tests.Maintenance;

public sealed class StoreCheckTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly InMemoryObjectStore _objects;
    private readonly StoredContexts _contexts;

    public StoreCheckTests()
    {
        _objects = new InMemoryObjectStore(_time);
        _contexts = new StoredContexts(_objects, _time);
    }

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    private static int[] Ids { get; } = [.. Enumerable.Range(1, 20)];

    [Fact]
    public async Task RunAsync_StoreIsGood_FindsNothingAndTellsItsProgress()
    {
        await _contexts.CreateAsync("a", Ids, Stopping);
        await _contexts.CreateAsync("b", [.. Ids, 7], Stopping);
        await _contexts.CreateAsync("gone", [1], Stopping);
        await _contexts.DeleteAsync("gone", Stopping);
        var told = new List<StoreCheckProgress>();

        var report = await new StoreCheck(_objects, _time).RunAsync(StoredContexts.Tenant, repair: true, told.Add, Stopping);

        Assert.Empty(report.Faults);
        Assert.Equal((2, 5), (report.Contexts, report.Chunks));
        Assert.Equal((await _objects.ListAsync("chunks/", Stopping).ToListAsync(Stopping)).Sum(static chunk => chunk.Length), report.ChunkBytes);
        Assert.Equal(Enumerable.Range(1, 8).Select(static done => new StoreCheckProgress(done, 8)), told);
    }

    public static TheoryData<string, string> Damages => new()
    {
        { "first byte of the length", "header" },
        { "last byte of the length", "header" },
        { "version", "header" },
        { "fingerprint", "header" },
        { "numerics", "header" },
        { "hash", "header" },
        { "parent", "tokens" }, // a canonical header, of a page whose ids do not lead from that parent to its hash
        { "start", "header" }, // a good chunk, but not the one that the manifest names
        { "end of the fingerprint", "header" }, // likewise: the key has the start of it only
        { "count", "header" },
        { "checksum", "checksum" },
        { "dtype", "header" },
        { "shape", "header" },
        { "first byte of the data", "checksum" },
        { "last byte of the data", "checksum" },
        { "token id", "tokens" },
        { "cut by a byte", "header" },
        { "longer by a byte", "header" },
        { "empty", "length" },
        { "7 bytes", "length" },
        { "another chunk's", "header" },
        { "gone", "absent" },
    };

    [Theory, MemberData(nameof(Damages)), Trait("Invariant", "1")]
    public async Task RunAsync_ChunkIsBad_FindsItAndRepairTakesItAway(string damage, string reason)
    {
        await _contexts.CreateAsync("a", Ids, Stopping);
        await _contexts.CreateAsync("other", [.. Ids.Reverse()], Stopping);
        var page = (await _contexts.PagesAsync(Ids, Stopping))[1];
        var other = (await _contexts.PagesAsync([.. Ids.Reverse()], Stopping))[1];
        var good = (await _objects.FindAsync(page.Key, Stopping))!.Content;
        if (damage == "gone")
        {
            await _objects.DeleteAsync(page.Key, Precondition.None, Stopping);
        }
        else
        {
            var bad = damage == "another chunk's" ? (await _objects.FindAsync(other.Key, Stopping))!.Content : ChunkDamage.Of(good, damage);
            await _objects.PutAsync(page.Key, new(bad), Precondition.None, Stopping);
        }

        var found = await CheckAsync(repair: false);

        var fault = Assert.Single(found.Faults);
        Assert.Equal(new StoreFault(page.Key, "chunk", reason, "tiny/a", Repaired: false), fault);
        Assert.True(Assert.Single((await CheckAsync(repair: true)).Faults).Repaired);
        Assert.Null(await _objects.HeadAsync(page.Key, Stopping));
        Assert.Empty((await CheckAsync(repair: false)).Faults);
        var manifest = (await _contexts.Manifests.FindAsync(StoredContexts.Tenant, StoredContexts.Model, "a", Stopping))!.Manifest;
        Assert.Equal((ManifestStates.Accepted, 0), (manifest.State, manifest.Chunks.Count));
        Assert.Equal(Ids, manifest.TokenIds);
        await _contexts.AssertWholeAsync("other", Stopping);
    }

    [Fact, Trait("Invariant", "3")]
    public async Task RunAsync_RepairIsCutOffAnywhere_IsEndedWhenRunAgain()
    {
        var total = int.MaxValue;
        for (var cut = 1; cut < total; cut++)
        {
            var objects = new InMemoryObjectStore(_time);
            var contexts = new StoredContexts(objects, _time);
            await contexts.CreateAsync("a", Ids, Stopping);
            await contexts.CreateAsync("other", [.. Ids.Reverse()], Stopping);
            foreach (var page in await contexts.PagesAsync(Ids, Stopping))
            {
                await objects.PutAsync(page.Key, new(ChunkDamage.Of((await objects.FindAsync(page.Key, Stopping))!.Content, "first byte of the data")), Precondition.None, Stopping);
            }

            using var stopping = new CancellationTokenSource();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => new StoreCheck(objects, _time).RunAsync(StoredContexts.Tenant, repair: true, Cut, stopping.Token));

            Assert.All((await CheckAsync(repair: true, objects)).Faults, static fault => Assert.True(fault.Repaired));
            Assert.Empty((await CheckAsync(repair: true, objects)).Faults);
            Assert.Equal(Ids, (await contexts.Manifests.FindAsync(StoredContexts.Tenant, StoredContexts.Model, "a", Stopping))!.Manifest.TokenIds);
            await contexts.AssertWholeAsync("other", Stopping);

            void Cut(StoreCheckProgress at)
            {
                total = at.Total;
                Assert.True(at.Done < cut || stopping.CancelAsync() is not null);
            }
        }

        Assert.Equal(8, total);
    }

    [Fact, Trait("Invariant", "1")]
    public async Task RunAsync_ChunkHasOtherBitsThanTheManifestSays_FindsIt()
    {
        await _contexts.CreateAsync("a", Ids, Stopping);
        var page = (await _contexts.PagesAsync(Ids, Stopping))[1];
        await _objects.DeleteAsync(page.Key, Precondition.None, Stopping);
        await new ChunkStore(_objects).WriteAsync(page, Pages.Kv(page, seed: 77), Stopping);

        Assert.Equal([new StoreFault(page.Key, "chunk", "checksum", "tiny/a", Repaired: false)], (await CheckAsync(repair: false)).Faults);
    }

    [Theory, InlineData("cut"), InlineData("flipped"), InlineData("another's"), InlineData("empty"), Trait("Invariant", "3")]
    public async Task RunAsync_ManifestIsBad_FindsItAndKeepsIt(string damage)
    {
        await _contexts.CreateAsync("a", Ids, Stopping);
        await _contexts.CreateAsync("other", Ids, Stopping);
        const string Key = "contexts/acme/tiny/a.json";
        var good = (await _objects.FindAsync(Key, Stopping))!.Content;
        byte[] bad = damage switch
        {
            "cut" => good[..^1],
            "flipped" => [.. good[..40], (byte)(good[40] ^ 1), .. good[41..]],
            "another's" => (await _objects.FindAsync("contexts/acme/tiny/other.json", Stopping))!.Content,
            _ => [],
        };
        await _objects.PutAsync(Key, new(bad), Precondition.None, Stopping);

        var fault = Assert.Single((await CheckAsync(repair: true)).Faults);

        Assert.Equal((Key, "manifest", "tiny/a", false), (fault.Key, fault.Kind, fault.Context, fault.Repaired));
        Assert.Equal(bad, (await _objects.FindAsync(Key, Stopping))!.Content);
        await _contexts.AssertWholeAsync("other", Stopping);
    }

    [Fact, Trait("Invariant", "1")]
    public async Task RunAsync_TenantOrModelIsBad_FindsIt()
    {
        await _contexts.CreateAsync("a", Ids, Stopping);
        await _objects.PutAsync("tenants/acme.json", new("{}"u8.ToArray()), Precondition.None, Stopping);
        await _objects.PutAsync("models/tiny.json", new("{}"u8.ToArray()), Precondition.None, Stopping);

        Assert.Equal([("models/tiny.json", "model"), ("tenants/acme.json", "tenant")], (await CheckAsync(repair: true)).Faults.Select(static fault => (fault.Key, fault.Kind)));
    }

    [Theory, Trait("Invariant", "1")]
    [InlineData("grains/dataset/dataset/acme/set.json", "state")]
    [InlineData("grains/shard/datasetshard/acme/set/00000.json", "state")]
    [InlineData("datasets/acme/set/d/00000.0000.last.json", "dataset")]
    public async Task RunAsync_DocumentOfADatasetIsBad_FindsItAndRepairTakesItAway(string key, string kind)
    {
        var good = SealedDocument.Seal(key, "[1]"u8);
        await _objects.PutAsync(key, new(good), Precondition.None, Stopping);
        Assert.Empty((await CheckAsync(repair: true)).Faults);
        foreach (var bad in (byte[][])[[.. good[..20], (byte)(good[20] ^ 1), .. good[21..]], good[..^1], [.. good, 0], [], SealedDocument.Seal("another/key", "[1]"u8)])
        {
            await _objects.PutAsync(key, new(bad), Precondition.None, Stopping);

            var fault = Assert.Single((await CheckAsync(repair: false)).Faults);

            Assert.Equal((key, kind, false), (fault.Key, fault.Kind, fault.Repaired));
            Assert.True(Assert.Single((await CheckAsync(repair: true)).Faults).Repaired);
            Assert.Null(await _objects.HeadAsync(key, Stopping));
        }
    }

    [Theory, Trait("Invariant", "1")]
    [InlineData("grains/dataset/dataset/acme/set.json", "state")]
    [InlineData("datasets/acme/set/d/00000.0000.last.json", "dataset")]
    public async Task RunAsync_DocumentIsTooLongToBeRead_FindsItAndGoesOn(string key, string kind)
    {
        await _contexts.CreateAsync("a", Ids, Stopping);
        await _objects.PutAsync(key, new("x"u8.ToArray()), Precondition.None, Stopping);
        var check = new StoreCheck(new TooLongStore(_objects, key), _time);

        var found = await check.RunAsync(StoredContexts.Tenant, repair: false, static _ => { }, Stopping);

        Assert.Equal([new StoreFault(key, kind, "it is longer than any document", null, Repaired: false)], found.Faults);
        Assert.Equal(1, found.Contexts);
        Assert.NotNull(await _objects.HeadAsync(key, Stopping));
        Assert.True(Assert.Single((await check.RunAsync(StoredContexts.Tenant, repair: true, static _ => { }, Stopping)).Faults).Repaired);
        Assert.Null(await _objects.HeadAsync(key, Stopping));
    }

    [Theory, Trait("Invariant", "1")]
    [InlineData("models/m.json", "model")]
    [InlineData("tenants/acme.json", "tenant")]
    public async Task RunAsync_RecordIsTooLongToBeRead_FindsItAndGoesOn(string key, string kind)
    {
        await _contexts.CreateAsync("a", Ids, Stopping);
        await _objects.PutAsync("models/m.json", new("x"u8.ToArray()), Precondition.None, Stopping);

        var found = await new StoreCheck(new TooLongStore(_objects, key), _time).RunAsync(StoredContexts.Tenant, repair: true, static _ => { }, Stopping);

        Assert.Contains(found.Faults, fault => (fault.Key, fault.Kind, fault.Repaired) == (key, kind, false));
        Assert.Equal(1, found.Contexts);
    }

    [Fact, Trait("Invariant", "12")]
    public async Task RunAsync_AnotherTenantsDocumentsAreBad_IsNotItsBusiness()
    {
        foreach (var key in (string[])["grains/dataset/dataset/acme2/set.json", "grains/acme/x.json", "datasets/acme2/set/d/00000.0000.last.json"])
        {
            await _objects.PutAsync(key, new("{}"u8.ToArray()), Precondition.None, Stopping);
        }

        Assert.Empty((await CheckAsync(repair: true)).Faults);
    }

    [Fact, Trait("Invariant", "12")]
    public async Task RunAsync_AnotherTenantsChunkIsBad_IsNotItsBusiness()
    {
        await _contexts.CreateAsync("a", Ids, Stopping);
        await _objects.PutAsync("chunks/acme2/x/y/ab/abc.safetensors", new("{}"u8.ToArray()), Precondition.None, Stopping);

        Assert.Empty((await CheckAsync(repair: true)).Faults);
    }

    private Task<StoreCheckReport> CheckAsync(bool repair, InMemoryObjectStore? objects = null) => new StoreCheck(objects ?? _objects, _time).RunAsync(StoredContexts.Tenant, repair, static _ => { }, Stopping);
}
