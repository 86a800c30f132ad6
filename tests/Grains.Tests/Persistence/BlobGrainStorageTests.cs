using System.Buffers;
using Granary.Errors;
using Granary.Grains.Persistence;
using Granary.Storage.Errors;
using Granary.Storage.Objects;
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
