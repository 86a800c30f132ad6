using Granary.Client;
using Granary.Cluster.Tests.Processes;
using Granary.Contexts;
using Granary.Silos;
using Granary.Testing.Processes;
using Granary.Testing.Proxies;
using Granary.Testing.Servers;

namespace Granary.Cluster.Tests.Stampedes;

/// <summary>A context that nobody has stored is asked for by three client processes at once: it is prefilled once.</summary>
public sealed class StampedeTests(AzuriteServer azurite, RedisServer redis) : IClassFixture<AzuriteServer>, IClassFixture<RedisServer>
{
    private const int Tokens = 1900;
    private const int PageTokens = 256;
    private const int CallsEach = 34;
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(50);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(5);

    [Fact, Trait("Category", "Crash"), Trait("Invariant", "8")]
    public async Task ThreeProcesses_CreateAndAskOneContext_FirstIsKilled_PrefilledOnce()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var proxy = new FaultyProxy(azurite.Port);
        var (store, cluster) = (StoreBy(proxy), $"redis://{redis.Address}/once");
        var silos = await StartAsync(store, cluster, cancellationToken);
        await using var first = silos[0];
        await using var second = silos[1];
        await using var third = silos[2];
        var (held, release) = HoldAChunk(proxy);
        try
        {
            await using var one = StampedeClient.Start(cluster, 1, Tokens, CallsEach);
            await using var other = StampedeClient.Start(cluster, 1, Tokens, CallsEach);
            await using var another = StampedeClient.Start(cluster, 1, Tokens, CallsEach);
            await using var connection = await SiloProcess.ConnectAsync(cluster, cancellationToken, SiloProcess.CrashResponseTimeout);
            ChildProcess[] clients = [one, other, another];
            var areIn = Array.ConvertAll(clients, client => StampedeClient.WaitUntilCallsAreInAsync(client, cancellationToken));
            var quickest = clients[Array.IndexOf(areIn, await Task.WhenAny(areIn))];
            await Task.WhenAll(areIn);
            await held.WaitAsync(MostTime, cancellationToken);
            Assert.Equal((Tokens, "accepted"), await StandAsync(connection.Client, "stampede-1", cancellationToken)); // all of them came before it was stored

            quickest.Kill();
            release.SetResult();
            await Task.WhenAll(clients.Where(client => client != quickest).Select(client => SucceedAsync(client, cancellationToken)));
            Assert.Equal(Tokens, await PrefilledAsync(connection.Client, cancellationToken));
            Assert.Equal((Tokens, "stored"), await StandAsync(connection.Client, "stampede-1", cancellationToken));
        }
        finally
        {
            release.TrySetResult();
        }
    }

    [Fact, Trait("Category", "Crash"), Trait("Invariant", "8")]
    public async Task TwoProcesses_CreateAndAskOneContext_ItsSiloIsKilled_PrefilledAtMostTwice()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var proxy = new FaultyProxy(azurite.Port);
        var (store, cluster) = (StoreBy(proxy), $"redis://{redis.Address}/twice");
        var silos = await StartAsync(store, cluster, cancellationToken);
        await using var first = silos[0];
        await using var second = silos[1];
        await using var third = silos[2];
        var unheard = proxy.Inject(IsChunkWrite, ProxyFault.Silence);
        await using var one = StampedeClient.Start(cluster, 2, Tokens, CallsEach);
        await using var other = StampedeClient.Start(cluster, 2, Tokens, CallsEach);
        await using var connection = await SiloProcess.ConnectAsync(cluster, cancellationToken, SiloProcess.CrashResponseTimeout);
        await StampedeClient.WaitUntilCallsAreInAsync(one, cancellationToken);
        await StampedeClient.WaitUntilCallsAreInAsync(other, cancellationToken);
        await WaitUntilAsync(
            async () => unheard.Count == 1 && await PrefilledAsync(connection.Client, cancellationToken) == Tokens, "The context was not computed, or none of its chunks sent.", cancellationToken);

        // In the middle: all is computed, and a chunk has not reached the store.
        Assert.Equal((Tokens, "accepted"), await StandAsync(connection.Client, "stampede-2", cancellationToken));
        var owner = (await connection.Client.Cluster.ListSilosAsync(cancellationToken)).Single(static silo => silo.PrefilledTokens > 0);
        await silos[owner.Silo[^1] - '0'].KillAsync(cancellationToken);
        await SucceedAsync(one, cancellationToken);
        await SucceedAsync(other, cancellationToken);

        // The dead silo's time was the first; the second is one survivor's, who computes at least the page that was not stored, the last and smallest or another.
        Assert.InRange(await PrefilledAsync(connection.Client, cancellationToken, dead: owner.Silo), Tokens % PageTokens, Tokens);
        Assert.Equal((Tokens, "stored"), await StandAsync(connection.Client, "stampede-2", cancellationToken));
    }

    [Fact, Trait("Invariant", "8")]
    public async Task OneSilo_ThirtyNewContextsOfOnePrefix_ThePrefixIsPrefilledOnce()
    {
        const int Prefix = 1280, Rest = 40, Contexts = 30;
        var cancellationToken = TestContext.Current.CancellationToken;
        var (store, cluster) = (azurite.ConnectionString + $"Prefix=thirty{Guid.NewGuid():N}", $"redis://{redis.Address}/thirty");
        await using var silo = await SiloProcess.StartAsync(store, cluster, cancellationToken);
        await using var connection = await SiloProcess.ConnectAsync(cluster, cancellationToken);
        var prefix = StampedeClient.Ids(3, Prefix);

        var created = await Task.WhenAll(Enumerable.Range(0, Contexts).Select(async number => (await connection.Client.Context("ledger-4m", $"thirty-{number}").CreateAsync(
            new CreateContextRequest { Input = TokenInput.OfTokens([.. prefix, .. StampedeClient.Ids(100 + number, Rest)]) }, cancellationToken).LastAsync(cancellationToken)).Result!));

        Assert.Equal(Prefix + (Contexts * Rest), await PrefilledAsync(connection.Client, cancellationToken));
        Assert.Equal(Prefix + (Contexts * Rest), created.Sum(static context => context.PrefilledTokens));
    }

    private static Task<SiloProcess[]> StartAsync(string store, string cluster, CancellationToken cancellationToken) => Task.WhenAll(
        Enumerable.Range(0, 3).Select(number => SiloProcess.StartAsync(
            store, cluster, cancellationToken, settings: new Dictionary<string, string?>(SiloProcess.CrashSettings) { ["Granary__Silo__Name"] = $"silo-{number}" })));

    private static string StoreBy(FaultyProxy proxy) => $"{AzuriteServer.ConnectionStringBy(proxy.Port)}Container=t{Guid.NewGuid():N}";

    private static bool IsChunkWrite(ProxiedRequest request) => request.Method == "PUT" && request.Target.Contains("/chunks/", StringComparison.Ordinal);

    // The next chunk is stored when it is released.
    private static (Task Held, TaskCompletionSource Release) HoldAChunk(FaultyProxy proxy)
    {
        var held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        proxy.Inject(IsChunkWrite, ProxyFault.Overtaken(() =>
        {
            held.SetResult();
            return release.Task;
        }));
        return (held.Task, release);
    }

    private static async Task<long> PrefilledAsync(IGranaryClient client, CancellationToken cancellationToken, string? dead = null) =>
        (await client.Cluster.ListSilosAsync(cancellationToken)).Where(silo => silo.State == SiloStates.Serving && silo.Silo != dead).Sum(static silo => silo.PrefilledTokens);

    private static async Task<(int Tokens, string State)> StandAsync(IGranaryClient client, string name, CancellationToken cancellationToken)
    {
        var context = await client.Context("ledger-4m", name).GetAsync(cancellationToken);
        return (context.Tokens, context.State);
    }

    private static async Task WaitUntilAsync(Func<Task<bool>> isSoAsync, string failure, CancellationToken cancellationToken)
    {
        for (var began = TimeProvider.System.GetTimestamp(); !await isSoAsync();)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < MostTime, failure);
            await Task.Delay(Poll, TimeProvider.System, cancellationToken);
        }
    }

    private static async Task SucceedAsync(ChildProcess client, CancellationToken cancellationToken)
    {
        var exitCode = await client.WaitForExitAsync(MostTime, cancellationToken);
        Assert.True(exitCode == 0, $"A client ended with {exitCode}.{client.Tail()}");
    }
}
