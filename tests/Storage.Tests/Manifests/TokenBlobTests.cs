using System.Buffers;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Testing.Stores;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Storage.Tests.Manifests;

public sealed class TokenBlobTests
{
    private static readonly int[] Ids = [.. Enumerable.Range(1, 20)];

    private static readonly int[] Longer = [.. Ids, 7];

    private readonly InMemoryObjectStore _objects = new(new FakeTimeProvider());
    private readonly CountingStore _counting;
    private readonly ManifestStore _manifests;

    public TokenBlobTests()
    {
        _counting = new CountingStore(_objects);
        _manifests = new ManifestStore(_counting, mostInlineTokenIds: 8);
    }

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Theory, InlineData(8, false), InlineData(9, true)]
    public async Task CommitAsync_IdsAreMany_NamesABlob(int count, bool hasBlob)
    {
        await _manifests.CommitAsync(Manifest([.. Ids.Take(count)]), null, Stopping);

        var text = System.Text.Encoding.UTF8.GetString((await _objects.FindAsync("contexts/acme/m/c.json", Stopping))!.Content);
        Assert.Equal((hasBlob, !hasBlob), (text.Contains("\"tokenBlob\":{\"hash\":\"", StringComparison.Ordinal), text.Contains("\"tokenIds\":\"", StringComparison.Ordinal)));
        Assert.Equal(Ids.Take(count), (await _manifests.FindAsync("acme", "m", "c", Stopping))!.Manifest.TokenIds);
        Assert.Equal(hasBlob ? 1 : 0, (await BlobsAsync()).Length);
    }

    [Fact]
    public async Task CommitAsync_NothingIsSaid_Keeps4096IdsInline()
    {
        var manifests = new ManifestStore(_objects);
        await manifests.CommitAsync(Manifest(new int[4096]), null, Stopping);
        Assert.Empty(await BlobsAsync());
        await manifests.CommitAsync(Manifest(new int[4097]) with { Name = "longer" }, null, Stopping);
        Assert.Equal(4 * 4097, Assert.Single(await BlobsAsync()).Length);
    }

    [Fact]
    public async Task CommitAsync_BlobIsNew_IsTheFormat()
    {
        await _manifests.CommitAsync(Manifest([.. Enumerable.Repeat(0x01020304, 9)]), null, Stopping);

        // Computed apart, in Python: hashlib.sha256(b"granary.token-ids.1" + bytes([4, 3, 2, 1]) * 9).hexdigest()
        var blob = Assert.Single(await BlobsAsync());
        Assert.Equal("tokens/acme/ae/ae5d91e61f9bc743aaaf809165b26c39f8dbb5e0d1622add34d052b146f6fc45.tokens", blob.Key);
        Assert.Equal(Enumerable.Repeat<byte[]>([4, 3, 2, 1], 9).SelectMany(static id => id), (await _objects.FindAsync(blob.Key, Stopping))!.Content);
    }

    [Fact]
    public async Task CommitAsync_IdsStayTheSame_LooksAtNoBlob()
    {
        var first = await _manifests.CommitAsync(Manifest(Ids), null, Stopping);
        _counting.BlobCalls.Clear();

        var second = await _manifests.CommitAsync(first.Manifest with { Version = 2, TokenIds = [.. Ids] }, first, Stopping);
        var third = await new ManifestStore(_counting).CommitAsync(second.Manifest with { Version = 3 }, second, Stopping); // whatever its limit is

        Assert.Empty(_counting.BlobCalls);
        var known = await _manifests.FindAsync("acme", "m", "c", third, Stopping);
        Assert.Empty(_counting.BlobCalls);
        Assert.Equal((3, third.Version), (known!.Manifest.Version, known.Version));
        Assert.Same(third.Manifest.TokenIds, known.Manifest.TokenIds);
        Assert.Equal(Ids, (await _manifests.FindAsync("acme", "m", "c", Stopping))!.Manifest.TokenIds);
        Assert.NotEmpty(_counting.BlobCalls);
    }

    [Fact]
    public async Task FindAsync_IdsAreOthersThanKnown_ReadsThem()
    {
        var first = await _manifests.CommitAsync(Manifest(Ids), null, Stopping);
        await _manifests.CommitAsync(Manifest([.. Ids, 7]) with { Version = 2 }, first, Stopping);

        Assert.Equal(Longer, (await _manifests.FindAsync("acme", "m", "c", first, Stopping))!.Manifest.TokenIds);
    }

    [Fact]
    public async Task CommitAsync_BlobIsThere_IsTouchedAndNotWritten()
    {
        await _manifests.CommitAsync(Manifest(Ids), null, Stopping);
        var before = Assert.Single(await BlobsAsync());

        await _manifests.CommitAsync(Manifest(Ids) with { Name = "other" }, null, Stopping);

        var after = Assert.Single(await BlobsAsync());
        Assert.NotEqual(before.Version, after.Version); // a sweep that listed it before deletes nothing
        Assert.Contains("touch", _counting.BlobCalls);
    }

    [Theory, InlineData(0), InlineData(79), InlineData(80), InlineData(81)]
    public async Task CommitAsync_BlobIsThereAndDamaged_IsPutRight(int length)
    {
        await _manifests.CommitAsync(Manifest(Ids), null, Stopping);
        var blob = Assert.Single(await BlobsAsync());
        var good = (await _objects.FindAsync(blob.Key, Stopping))!.Content;
        await _objects.PutAsync(blob.Key, new(new byte[length]), Precondition.None, Stopping);

        await _manifests.CommitAsync(Manifest(Ids) with { Name = "other" }, null, Stopping);

        Assert.Equal(good, (await _objects.FindAsync(blob.Key, Stopping))!.Content);
        Assert.Equal(Ids, (await _manifests.FindAsync("acme", "m", "c", Stopping))!.Manifest.TokenIds);
    }

    [Fact]
    public async Task CommitAsync_BlobIsCollectedBeforeTheTouch_IsWrittenAgain()
    {
        await _manifests.CommitAsync(Manifest(Ids), null, Stopping);
        var key = Assert.Single(await BlobsAsync()).Key;
        _counting.BeforeTouch = () => _objects.DeleteAsync(key, Precondition.None, Stopping);

        await _manifests.CommitAsync(Manifest(Ids) with { Name = "other" }, null, Stopping);

        Assert.Equal(Ids, (await _manifests.FindAsync("acme", "m", "other", Stopping))!.Manifest.TokenIds);
    }

    [Fact]
    public async Task FindAsync_NextVersionComesAndTheBlobGoesMeanwhile_GivesTheNextVersion()
    {
        var first = await _manifests.CommitAsync(Manifest(Ids), null, Stopping);
        var old = Assert.Single(await BlobsAsync()).Key;
        _counting.BeforeBlobRead = async () =>
        {
            await new ManifestStore(_objects, 8).CommitAsync(Manifest([.. Ids, 7]) with { Version = 2 }, first, Stopping);
            await _objects.DeleteAsync(old, Precondition.None, Stopping);
        };

        Assert.Equal(Longer, (await _manifests.FindAsync("acme", "m", "c", Stopping))!.Manifest.TokenIds);
    }

    [Fact]
    public async Task CommitAsync_BecomesATombstone_NamesNoBlob()
    {
        var stored = await _manifests.CommitAsync(Manifest(Ids), null, Stopping);
        await _manifests.CommitAsync(ManifestStore.Tombstone(stored.Manifest, DateTimeOffset.UnixEpoch), stored, Stopping);
        await _objects.DeleteAsync(Assert.Single(await BlobsAsync()).Key, Precondition.None, Stopping);

        var tombstone = (await _manifests.FindAsync("acme", "m", "c", Stopping))!;
        Assert.Equal(ManifestStates.Deleted, tombstone.Manifest.State);
        await _manifests.CommitAsync(Manifest(Ids), tombstone, Stopping);
        Assert.Single(await BlobsAsync()); // made anew
    }

    [Fact, Trait("Invariant", "12")]
    public async Task FindAsync_BlobIsAnotherTenantsOnly_IsRefused()
    {
        await _manifests.CommitAsync(Manifest(Ids) with { Tenant = "acme2" }, null, Stopping);
        await _manifests.CommitAsync(Manifest(Ids), null, Stopping);
        await _objects.DeleteAsync((await BlobsAsync()).Single(static blob => blob.Key.StartsWith("tokens/acme/", StringComparison.Ordinal)).Key, Precondition.None, Stopping);

        var fault = await Assert.ThrowsAsync<StorageException>(() => _manifests.FindAsync("acme", "m", "c", Stopping));

        Assert.Equal("ManifestInvalid", fault.Code);
        Assert.Contains("'tokens/acme/", fault.Message, StringComparison.Ordinal);
    }

    [Theory, Trait("Invariant", "3")]
    [InlineData("1048577"), InlineData("2147483648"), InlineData("9223372036854775807"), InlineData("9223372036854775808"), InlineData("1e300")]
    public async Task FindAsync_CountIsPastTheLimit_AllocatesNothingForIt(string count)
    {
        await FindWithCountAsync(count);

        Assert.Empty(_counting.BlobCalls);
    }

    [Fact, Trait("Invariant", "3")]
    public async Task FindAsync_CountIsPossibleButNotTheBlobs_AllocatesNothingForIt()
    {
        var fault = await FindWithCountAsync("1048576");

        Assert.Contains("80 bytes, 4,194,304 are right", fault.Message, StringComparison.Ordinal);
    }

    // Reads a manifest that states a count of ids and has the right checksum.
    private async Task<StorageException> FindWithCountAsync(string count)
    {
        await _manifests.CommitAsync(Manifest(Ids), null, Stopping);
        const string Key = "contexts/acme/m/c.json";
        var text = System.Text.Encoding.UTF8.GetString((await _objects.FindAsync(Key, Stopping))!.Content);
        var json = text[..text.LastIndexOf(",\"checksum\"", StringComparison.Ordinal)].Replace("\"count\":20", $"\"count\":{count}", StringComparison.Ordinal) + "}";
        await _objects.PutAsync(Key, new(Sealing.SealedJson.Seal(System.Text.Encoding.UTF8.GetBytes(json))), Precondition.None, Stopping);
        _counting.BlobCalls.Clear();

        var before = GC.GetAllocatedBytesForCurrentThread();
        var read = _manifests.FindAsync("acme", "m", "c", Stopping);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.True(read.IsCompleted, "A store in memory answers at once; otherwise another thread was counted.");
        var fault = await Assert.ThrowsAsync<StorageException>(() => read);
        Assert.Equal("ManifestInvalid", fault.Code);
        Assert.InRange(allocated, 0, 1 << 20);
        return fault;
    }

    private async Task<ObjectInfo[]> BlobsAsync() => await _objects.ListAsync("tokens/", Stopping).ToArrayAsync(Stopping);

    private static ContextManifest Manifest(int[] ids) => new()
    {
        Tenant = "acme",
        Model = "m",
        Name = "c",
        Incarnation = "0123456789abcdef0123456789abcdef",
        Version = 1,
        State = ManifestStates.Accepted,
        Fingerprint = "f",
        TokenIds = ids,
        Created = DateTimeOffset.UnixEpoch,
        Updated = DateTimeOffset.UnixEpoch,
    };

    /// <summary>Notes what is asked of token blobs, and lets others in between.</summary>
    private sealed class CountingStore(IObjectStore inner) : DelegatingStore(inner)
    {
        public List<string> BlobCalls { get; } = [];

        public Func<Task>? BeforeTouch { get; set; }

        public Func<Task>? BeforeBlobRead { get; set; }

        public override Task<ObjectVersion> PutAsync(string key, ReadOnlySequence<byte> content, Precondition precondition, CancellationToken cancellationToken)
        {
            Note(key, "put");
            return base.PutAsync(key, content, precondition, cancellationToken);
        }

        public override async Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken)
        {
            if (Note(key, "head") && BeforeBlobRead is { } act)
            {
                BeforeBlobRead = null;
                await act();
            }

            return await base.HeadAsync(key, cancellationToken);
        }

        public override async Task<bool> TouchAsync(string key, CancellationToken cancellationToken)
        {
            if (Note(key, "touch") && BeforeTouch is { } act)
            {
                BeforeTouch = null;
                await act();
            }

            return await base.TouchAsync(key, cancellationToken);
        }

        private bool Note(string key, string call)
        {
            var isBlob = key.StartsWith("tokens/", StringComparison.Ordinal);
            if (isBlob)
            {
                BlobCalls.Add(call);
            }

            return isBlob;
        }
    }
}
