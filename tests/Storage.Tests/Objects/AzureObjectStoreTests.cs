using Granary.Storage.Errors;
using Granary.Storage.Objects;
using Granary.Testing.Servers;
using static Granary.Storage.Tests.Objects.Bytes;

namespace Granary.Storage.Tests.Objects;

public sealed class AzureObjectStoreTests(AzuriteServer azurite) : ObjectStoreContract, IClassFixture<AzuriteServer>
{
    private readonly string _container = $"t{Guid.NewGuid():N}";
    private IObjectStore? _store;

    protected override IObjectStore Store => _store ??= ObjectStores.Open($"{azurite.ConnectionString}Container={_container};Prefix=some/where", TimeProvider.System);

    [Fact]
    public async Task PutAsync_StoreHasAPrefix_WritesBelowItAndShowsNoSecret()
    {
        await Store.PutAsync("a/b", Text("1"), Precondition.Absent, Stopping);

        var whole = ObjectStores.Open($"{azurite.ConnectionString}Container={_container}", TimeProvider.System);
        Assert.Equal(["some/where/a/b"], await whole.ListKeysAsync(""));
        Assert.Equal($"http://127.0.0.1:{azurite.Port}/devstoreaccount1/{_container}/some/where", Store.Description);
    }

    [Fact]
    public async Task PutAsync_BlocksAreManyAndObjectExists_RefusesAndKeepsIt()
    {
        await Store.PutAsync("big", new(Random(3, 10 << 20)), Precondition.Absent, Stopping);

        await Assert.ThrowsAsync<ObjectConflictException>(() => Store.PutAsync("big", new(Random(4, 10 << 20)), Precondition.Absent, Stopping));
        var kept = new byte[10 << 20];
        await Store.ReadAsync("big", 0, kept, Stopping);
        Assert.Equal(Random(3, 10 << 20), kept);
    }

    [Fact]
    public async Task ListAsync_MoreThanAPage_GivesAllOnce()
    {
        var keys = Enumerable.Range(0, 1005).Select(i => $"k/{i:D4}").ToList();
        await Parallel.ForEachAsync(keys, Stopping, async (key, stopping) => await Store.PutAsync(key, Text(""), Precondition.None, stopping));

        Assert.Equal(keys, await Store.ListKeysAsync("k/"));
    }

    [Fact]
    public async Task AnyMethod_NobodyListens_NamesTheHostAndNoKey()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        var port = ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop(); // nobody listens there now
        const string Key = "c2VjcmV0c2VjcmV0c2VjcmV0";
        var store = ObjectStores.Open($"DefaultEndpointsProtocol=http;AccountName=acme;AccountKey={Key};BlobEndpoint=http://127.0.0.1:{port}/acme", TimeProvider.System);

        var fault = await Assert.ThrowsAsync<StorageException>(() => store.FindAsync("a", Stopping));

        Assert.Equal("StoreUnavailable", fault.Code);
        Assert.Contains($"127.0.0.1:{port}", fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Key, fault.ToString(), StringComparison.Ordinal);
        Assert.Equal("StoreUnavailable", (await Assert.ThrowsAsync<StorageException>(() => store.ListKeysAsync(""))).Code);
    }

    [Fact]
    public async Task AnyMethod_KeyIsWrong_SaysThatTheIdentityIsRefused()
    {
        var wrong = azurite.ConnectionString.Replace("AccountKey=E", "AccountKey=F", StringComparison.Ordinal);
        var store = ObjectStores.Open(wrong, TimeProvider.System);

        var fault = await Assert.ThrowsAsync<StorageException>(() => store.FindAsync("a", Stopping));

        Assert.Equal("StoreUnavailable", fault.Code);
        Assert.Contains("identity", fault.Message, StringComparison.Ordinal);
    }
}
