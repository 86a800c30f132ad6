using Azure.Storage.Blobs;
using Granary.Storage.Errors;
using Granary.Storage.Objects;
using Granary.Testing.Processes;
using Granary.Testing.Proxies;
using Granary.Testing.Servers;
using static Granary.Storage.Tests.Objects.Bytes;

namespace Granary.Storage.Tests.Objects;

/// <summary>What the Azure store makes of connections that are reset when they are accepted, or refused.</summary>
public sealed class AzureResetTests(AzuriteServer azurite) : IClassFixture<AzuriteServer>
{
    private const int MostTries = 4;

    // Four tries, with pauses of 0.2, 0.4 and 0.8 s between them; the rest is what a busy machine may add.
    private static readonly TimeSpan MostRefusal = TimeSpan.FromSeconds(10);

    private readonly string _container = $"t{Guid.NewGuid():N}";

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task AnyMethod_ConnectionIsResetAtAccept_IsTriedAgain()
    {
        var transport = new ResettingTransport(resets: MostTries - 1);
        var store = Open(transport);
        await store.PutAsync("a", Text("1"), Precondition.Absent, Stopping); // 3 are reset; the rest makes the container too

        Assert.Equal("1", await store.FindTextAsync("a"));
        Assert.True(transport.Tries > MostTries, $"{transport.Tries} tries were made.");
    }

    [Fact]
    public async Task AnyMethod_EveryConnectionIsResetAtAccept_SaysSoAfterFour()
    {
        var transport = new ResettingTransport(resets: int.MaxValue);
        var store = Open(transport);

        await AssertUnavailableAsync(() => store.FindAsync("a", Stopping));
        Assert.Equal(MostTries, transport.Tries);
        await AssertUnavailableAsync(() => store.PutAsync("a", Text("1"), Precondition.None, Stopping));
        Assert.Equal(2 * MostTries, transport.Tries);
        await AssertUnavailableAsync(async () => await store.ListAsync("", Stopping).CountAsync(Stopping));
        Assert.Equal(3 * MostTries, transport.Tries);
    }

    [Fact]
    public async Task AnyMethod_ServerResetsWhatItAccepts_SaysSo()
    {
        await using var proxy = new FaultyProxy(azurite.Port);
        var store = ObjectStores.Open($"{AzuriteServer.ConnectionStringBy(proxy.Port)}Container={_container}", TimeProvider.System);
        proxy.BeginOutage(isSilent: false);

        // At once: some see the reset when they connect, some when they send, some when they wait for the answer.
        await Task.WhenAll(Enumerable.Range(0, 64).Select(index => AssertUnavailableAsync(() => index % 2 == 0
            ? store.FindAsync($"a{index}", Stopping)
            : store.PutAsync($"a{index}", new(Random(index, 200_000)), Precondition.None, Stopping))));
    }

    [Fact]
    public async Task AnyMethod_NobodyListens_SaysSo()
    {
        var store = ObjectStores.Open($"{AzuriteServer.ConnectionStringBy(LoopbackPort.FindFree())}Container={_container}", TimeProvider.System);

        var started = TimeProvider.System.GetTimestamp();
        await AssertUnavailableAsync(() => store.FindAsync("a", Stopping));

        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.FromSeconds(1), MostRefusal);
    }

    private AzureObjectStore Open(ResettingTransport transport)
    {
        var options = ObjectStores.ClientOptions();
        options.Transport = transport;
        return new AzureObjectStore(new BlobContainerClient(azurite.ConnectionString, _container, options));
    }

    private static async Task AssertUnavailableAsync(Func<Task> act)
    {
        var fault = await Assert.ThrowsAsync<StorageException>(act);
        Assert.Equal("StoreUnavailable", fault.Code);
        Assert.Contains("does not answer", fault.Message, StringComparison.Ordinal);
        Assert.NotEmpty(fault.Remedy);
    }
}
