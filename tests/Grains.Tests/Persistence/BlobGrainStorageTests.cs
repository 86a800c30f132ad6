using System.Buffers;
using Granary.Errors;
using Granary.Grains.Persistence;
using Granary.Storage.Errors;
using Granary.Storage.Objects;
using Granary.Storage.Sealing;
using Granary.Testing.Stores;
using Orleans.Storage;

namespace Granary.Grains.Tests.Persistence;

public sealed class BlobGrainStorageTests
{
    private static readonly GrainId Grain = GrainId.Create("dataset", "default/ledgers");
    private readonly InMemoryObjectStore _store = new(TimeProvider.System);

    [Fact, Trait("Invariant", "4")]
    public async Task WriteStateAsync_StaleOwner_IsRefusedAndKeepsTheWinner()
    {
        var storage = new BlobGrainStorage(_store);
        var (owner, zombie) = (new GrainState<Counter>(), new GrainState<Counter>());
        await storage.ReadStateAsync("s", Grain, owner);
        await storage.ReadStateAsync("s", Grain, zombie);
        owner.State!.Value = 1;
        await storage.WriteStateAsync("s", Grain, owner);

        zombie.State!.Value = 2;
        var fault = await Assert.ThrowsAsync<InconsistentStateException>(() => storage.WriteStateAsync("s", Grain, zombie));
        Assert.Null(fault.InnerException); // nothing that cannot cross a grain call

        var read = new GrainState<Counter>();
        await storage.ReadStateAsync("s", Grain, read);
        Assert.Equal(1, read.State!.Value);
        Assert.True(read.RecordExists);
    }

    [Fact]
    public async Task WriteStateAsync_StoreDoesNotAnswer_SaysSoInGranarysWords()
    {
        var storage = new BlobGrainStorage(new SilentStore(_store));
        var fault = await Assert.ThrowsAsync<GranaryException>(() => storage.WriteStateAsync("s", Grain, new GrainState<Counter>(new Counter())));
        Assert.Equal(ErrorCodes.StoreUnavailable, fault.Code);
    }

    [Fact]
    public async Task ClearStateAsync_WrittenState_IsGone()
    {
        var storage = new BlobGrainStorage(_store);
        var state = new GrainState<Counter>(new Counter { Value = 3 });
        await storage.WriteStateAsync("s", Grain, state);
        await storage.ClearStateAsync("s", Grain, state);
        await storage.ReadStateAsync("s", Grain, state);
        Assert.False(state.RecordExists);
        Assert.Equal(0, state.State!.Value);
    }

    [Fact, Trait("Invariant", "1")]
    public async Task ReadStateAsync_AnyByteIsFlippedOrCut_NamesTheObject()
    {
        var (storage, key, good) = await WriteAsync();
        for (var at = 0; at < good.Length; at++)
        {
            foreach (var bad in (byte[][])[[.. good[..at], (byte)(good[at] ^ 1), .. good[(at + 1)..]], good[..at]])
            {
                await AssertRefusedAsync(storage, key, bad, "checksum");
            }
        }
    }

    [Theory]
    [InlineData("""{"formatVersion":1,"key":"grains/s/dataset/acme/ledgers.json","content":{"Value":4}}""", "'grains/s/dataset/acme/ledgers.json'")]
    [InlineData("""{"formatVersion":2,"key":"grains/s/dataset/default/ledgers.json","content":{"Value":4}}""", "format version is 2")]
    [InlineData("""{"formatVersion":1,"key":"grains/s/dataset/default/ledgers.json","content":{"Value":9223372036854775807}}""", "another type's")]
    [InlineData("""{"formatVersion":1,"key":"grains/s/dataset/default/ledgers.json","content":null}""", "null")]
    [InlineData("""{"formatVersion":1,"key":"grains/s/dataset/default/ledgers.json","content":}""", "another type's")]
    [InlineData("""{"Value":4}""", "another kind")]
    public async Task ReadStateAsync_ChecksumIsRightButContentIsNot_NamesTheFault(string json, string says)
    {
        var (storage, key, _) = await WriteAsync();
        await AssertRefusedAsync(storage, key, SealedJson.Seal(System.Text.Encoding.UTF8.GetBytes(json)), says);
    }

    [Fact, Trait("Invariant", "1")]
    public async Task ReadStateAsync_StateIsTooLongToBeRead_NamesTheObject()
    {
        var (_, key, _) = await WriteAsync();
        var storage = new BlobGrainStorage(new TooLongStore(_store, key));

        AssertNames(await Assert.ThrowsAsync<GranaryException>(() => storage.ReadStateAsync("s", Grain, new GrainState<Counter>())), key, "longer than any");
        AssertNames(await Assert.ThrowsAsync<GranaryException>(() => storage.WriteStateAsync("s", Grain, new GrainState<Counter>(new Counter()))), key, "longer than any");
    }

    private async Task<(BlobGrainStorage Storage, string Key, byte[] Content)> WriteAsync()
    {
        var storage = new BlobGrainStorage(_store);
        await storage.WriteStateAsync("s", Grain, new GrainState<Counter>(new Counter { Value = 3 }));
        const string Key = "grains/s/dataset/default/ledgers.json";
        return (storage, Key, (await _store.FindAsync(Key, TestContext.Current.CancellationToken))!.Content);
    }

    private async Task AssertRefusedAsync(BlobGrainStorage storage, string key, byte[] bad, string says)
    {
        await _store.PutAsync(key, new(bad), Precondition.None, TestContext.Current.CancellationToken);

        AssertNames(await Assert.ThrowsAsync<GranaryException>(() => storage.ReadStateAsync("s", Grain, new GrainState<Counter>())), key, says);
    }

    private static void AssertNames(GranaryException fault, string key, string says)
    {
        Assert.Equal(ErrorCodes.ManifestInvalid, fault.Code);
        Assert.Contains($"'{key}'", fault.Message, StringComparison.Ordinal);
        Assert.Contains(says, fault.Message, StringComparison.Ordinal);
        Assert.Contains("store check --repair", fault.Remedy, StringComparison.Ordinal);
    }

    private sealed class SilentStore(IObjectStore inner) : DelegatingStore(inner)
    {
        public override Task<ObjectVersion> PutAsync(string key, ReadOnlySequence<byte> content, Precondition precondition, CancellationToken cancellationToken) =>
            throw new StorageException(ErrorCodes.StoreUnavailable, "The store does not answer.", "Wait.");
    }

    private sealed class Counter
    {
        public int Value { get; set; }
    }
}
