using Granary.Datasets;
using Granary.Errors;
using Granary.Grains.Datasets;
using Granary.Storage.Objects;
using Granary.Testing.Stores;

namespace Granary.Grains.Tests.Datasets;

public sealed class DatasetItemStoreTests
{
    private static readonly string Digest = new('a', 64);
    private static readonly string OtherDigest = new('b', 64);
    private static readonly DatasetId Dataset = DatasetId.Parse("acme/set");

    private readonly InMemoryObjectStore _objects = new(TimeProvider.System);
    private readonly DatasetItemStore _items;

    public DatasetItemStoreTests() => _items = new DatasetItemStore(_objects);

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ReadAsync_PartsAreSeveral_GivesAllInOrder()
    {
        await PutShardAsync(Dataset, Digest, 0);

        Assert.Equal(["0-0", "0-1", "0-2"], (await _items.ReadAsync(Dataset, Digest, 0, Stopping)).Select(static item => item.Id));
        Assert.Equal((int[])[1], await _items.FindMissingAsync(Dataset, Digest, 2, Stopping));
    }

    [Fact, Trait("Invariant", "1")]
    public async Task ReadAsync_AnyByteIsFlippedOrCut_IsNamedAndWrittenAnewByTheNextPrecompute()
    {
        await PutShardAsync(Dataset, Digest, 0);
        var key = Key(Dataset, Digest, "00000.0001.json");
        var good = (await _objects.FindAsync(key, Stopping))!.Content;
        for (var at = 0; at < good.Length; at++)
        {
            foreach (var bad in (byte[][])[[.. good[..at], (byte)(good[at] ^ 1), .. good[(at + 1)..]], good[..at]])
            {
                await AssertRefusedAsync(key, bad, "checksum");
                await PutShardAsync(Dataset, Digest, 0);
                Assert.Equal(3, (await _items.ReadAsync(Dataset, Digest, 0, Stopping)).Length);
            }
        }
    }

    public static TheoryData<string, string, string> Others => new()
    {
        { "acme/other", "a", "00000.0001.json" },
        { "acme2/set", "a", "00000.0001.json" },
        { "acme/set", "b", "00000.0001.json" },
        { "acme/set", "a", "00001.0001.json" },
        { "acme/set", "a", "00000.0000.json" },
        { "acme/set", "a", "00000.0002.last.json" },
    };

    [Theory, MemberData(nameof(Others)), Trait("Invariant", "1")]
    public async Task ReadAsync_AnotherPartLiesThere_IsNamed(string dataset, string digest, string file)
    {
        var other = DatasetId.Parse(dataset);
        foreach (var (id, content) in ((DatasetId, string)[])[(Dataset, Digest), (Dataset, OtherDigest), (other, Digest)])
        {
            await PutShardAsync(id, content, 0);
            await PutShardAsync(id, content, 1);
        }

        var theirs = Key(other, new string(digest[0], 64), file);
        await AssertRefusedAsync(Key(Dataset, Digest, "00000.0001.json"), (await _objects.FindAsync(theirs, Stopping))!.Content, $"'{theirs}'");
    }

    [Fact]
    public async Task ReadAsync_UnsealedPartOfAnEarlierBuild_IsNamed()
    {
        await PutShardAsync(Dataset, Digest, 0);
        await AssertRefusedAsync(Key(Dataset, Digest, "00000.0001.json"), """[{"Id":"0-1","Context":"text","Questions":[]}]"""u8.ToArray(), "checksum");
    }

    [Fact, Trait("Invariant", "1")]
    public async Task ReadAsync_PartIsTooLongToBeRead_IsNamedAndTakenAway()
    {
        await PutShardAsync(Dataset, Digest, 0);
        var key = Key(Dataset, Digest, "00000.0001.json");

        var fault = await Assert.ThrowsAsync<GranaryException>(() => new DatasetItemStore(new TooLongStore(_objects, key)).ReadAsync(Dataset, Digest, 0, Stopping));

        AssertNames(fault, key, "longer than any");
        Assert.Null(await _objects.HeadAsync(key, Stopping));
        Assert.Equal((int[])[0], await _items.FindMissingAsync(Dataset, Digest, 1, Stopping));
    }

    [Theory, InlineData("00000.0000.json"), InlineData("00000.0001.json"), InlineData("00000.0002.last.json")]
    public async Task FindMissingAsync_PartIsGone_NamesItsShard(string file)
    {
        await PutShardAsync(Dataset, Digest, 0);
        await PutShardAsync(Dataset, Digest, 1);
        await _objects.DeleteAsync(Key(Dataset, Digest, file), Precondition.None, Stopping);

        Assert.Equal((int[])[0], await _items.FindMissingAsync(Dataset, Digest, 2, Stopping));
        Assert.Equal(ErrorCodes.DatasetInvalid, (await Assert.ThrowsAsync<GranaryException>(() => _items.ReadAsync(Dataset, Digest, 0, Stopping))).Code);
    }

    private async Task AssertRefusedAsync(string key, byte[] bad, string says)
    {
        await _objects.PutAsync(key, new(bad), Precondition.None, Stopping);

        var fault = await Assert.ThrowsAsync<GranaryException>(() => _items.ReadAsync(Dataset, Digest, 0, Stopping));

        AssertNames(fault, key, says);
        Assert.Contains(0, await _items.FindMissingAsync(Dataset, Digest, 1, Stopping));
    }

    private static void AssertNames(GranaryException fault, string key, string says)
    {
        Assert.Equal(ErrorCodes.DatasetInvalid, fault.Code);
        Assert.Contains($"'{key}'", fault.Message, StringComparison.Ordinal);
        Assert.Contains(says, fault.Message, StringComparison.Ordinal);
        Assert.Contains("dataset precompute", fault.Remedy, StringComparison.Ordinal);
    }

    private async Task PutShardAsync(DatasetId dataset, string digest, int shard)
    {
        for (var part = 0; part < 3; part++)
        {
            var item = new DatasetItem($"{shard}-{part}", "text", []);
            await _items.PutAsync(dataset, new PutItemsRequest { Digest = digest, Shard = shard, Part = part, Last = part == 2, Items = [item] }, Stopping);
        }
    }

    private static string Key(DatasetId dataset, string digest, string file) => $"datasets/{dataset.Tenant}/{dataset.Name}/{digest}/{file}";
}
