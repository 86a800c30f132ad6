using Granary.Grains.Models;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Testing.Stores;

namespace Granary.Grains.Tests.Models;

public sealed class ContextSummariesTests : IDisposable
{
    private readonly CountingStore _store = new(new InMemoryObjectStore(TimeProvider.System));
    private readonly ManifestStore _manifests;
    private readonly ContextSummaries _summaries;

    public ContextSummariesTests()
    {
        _manifests = new ManifestStore(_store);
        _summaries = new ContextSummaries(_manifests);
    }

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    public void Dispose() => _summaries.Dispose();

    [Fact]
    public async Task FindAsync_UnchangedManifest_IsReadOnce()
    {
        await _manifests.CommitAsync(Manifest(), null, Stopping);
        await FindAsync();
        var reads = _store.Reads;

        Assert.Equal((1, 3), await FindAsync());
        Assert.Equal(reads, _store.Reads);
    }

    [Fact]
    public async Task FindAsync_ManifestWasCommittedAgain_IsReadAgain()
    {
        var first = await _manifests.CommitAsync(Manifest(), null, Stopping);
        await FindAsync();
        var second = await _manifests.CommitAsync(first.Manifest with { Version = 2, TokenIds = [1, 2, 3, 4] }, first, Stopping);
        Assert.Equal((2, 4), await FindAsync());

        await _manifests.CommitAsync(ManifestStore.Tombstone(second.Manifest, DateTimeOffset.UnixEpoch), second, Stopping);
        Assert.Equal(ManifestStates.Deleted, (await _summaries.FindAsync(await ListedAsync(), Stopping))!.State);
    }

    [Fact]
    public async Task FindAsync_ManifestWasMadeUnreadable_SaysSo()
    {
        await _manifests.CommitAsync(Manifest(), null, Stopping);
        await FindAsync();
        await _store.PutAsync("contexts/acme/m/c.json", new("{}"u8.ToArray()), Precondition.None, Stopping);

        Assert.Equal("ManifestInvalid", (await Assert.ThrowsAsync<StorageException>(FindAsync)).Code);
    }

    [Fact]
    public async Task FindAsync_ManifestHasGoneSinceItWasListed_IsNull()
    {
        await _manifests.CommitAsync(Manifest(), null, Stopping);
        var listed = await ListedAsync();
        await _store.DeleteAsync("contexts/acme/m/c.json", Precondition.None, Stopping);

        Assert.Null(await _summaries.FindAsync(listed, Stopping));
    }

    [Fact]
    public async Task FindAsync_CallerChangesTheLabels_KeepsItsOwn()
    {
        await _manifests.CommitAsync(Manifest(), null, Stopping);
        (await _summaries.FindAsync(await ListedAsync(), Stopping))!.Labels.Clear();

        Assert.Equal("1", (await _summaries.FindAsync(await ListedAsync(), Stopping))!.Labels["n"]);
    }

    private async Task<(long Version, int Tokens)> FindAsync()
    {
        var found = await _summaries.FindAsync(await ListedAsync(), Stopping);
        return (found!.Version, found.Tokens);
    }

    private ValueTask<ListedManifest> ListedAsync() => _manifests.ListAsync("acme", null, Stopping).SingleAsync(Stopping);

    private static ContextManifest Manifest() => new()
    {
        Tenant = "acme",
        Model = "m",
        Name = "c",
        Incarnation = "0123456789abcdef0123456789abcdef",
        Version = 1,
        State = ManifestStates.Stored,
        Fingerprint = "f",
        TokenIds = [1, 2, 3],
        Created = DateTimeOffset.UnixEpoch,
        Updated = DateTimeOffset.UnixEpoch,
        Labels = new Dictionary<string, string> { ["n"] = "1" },
    };

    private sealed class CountingStore(IObjectStore store) : DelegatingStore(store)
    {
        public int Reads { get; private set; }

        public override Task<StoredObject?> FindAsync(string key, CancellationToken cancellationToken)
        {
            Reads++;
            return base.FindAsync(key, cancellationToken);
        }
    }
}
