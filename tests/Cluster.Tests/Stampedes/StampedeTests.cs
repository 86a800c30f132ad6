using System.Globalization;
using Granary.Client;
using Granary.Cluster.Tests.Processes;
using Granary.Contexts;
using Granary.Silos;
using Granary.Testing;
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
    public async Task ThreeProcesses_CreateAndAskOneContext_FirstAskerIsKilled_PrefilledOnce()
    {
        const int Long = 8000; // takes seconds to compute: there is a middle to kill in
        var staying = StampedeClient.Staying(CallsEach);
        var cancellationToken = TestContext.Current.CancellationToken;
        using var folder = new ScratchFolder();
        await using var proxy = new FaultyProxy(azurite.Port);
        var (store, cluster) = (StoreBy(proxy), $"redis://{redis.Address}/once");
        var silos = await StartAsync(store, cluster, cancellationToken, CopyWithWindow(folder.GetPath("model"), 2 * Long));
        await using var first = silos[0];
        await using var second = silos[1];
        await using var third = silos[2];
        var (looked, found) = Hold(proxy, IsChunkLook);
        var (written, stored) = Hold(proxy, IsChunkWrite);
        try
        {
            await using var connection = await SiloProcess.ConnectAsync(cluster, cancellationToken, SiloProcess.CrashResponseTimeout);
            await using var asker = StampedeClient.Start(cluster, 1, Long, CallsEach);
            await StampedeClient.WaitUntilCallsAreInAsync(asker, cancellationToken);
            await looked.WaitAsync(MostTime, cancellationToken); // the work has begun, and nobody else has asked for it yet
            await using var other = StampedeClient.Start(cluster, 1, Long, CallsEach);
            await using var another = StampedeClient.Start(cluster, 1, Long, CallsEach);
            await StampedeClient.WaitUntilCallsAreInAsync(other, cancellationToken);
            await StampedeClient.WaitUntilCallsAreInAsync(another, cancellationToken);
            await WaitUntilAsync(async () => await StreamsAsync(connection.Client, cancellationToken) == 3 * staying, "Not all who stay are there, or not all who leave have left.", cancellationToken);
            Assert.Equal(0, await PrefilledAsync(connection.Client, cancellationToken)); // all of them came before a token was computed

            found.SetResult();
            await WaitUntilAsync(async () => await PrefilledAsync(connection.Client, cancellationToken) > 0, "Nothing was computed.", cancellationToken);
            asker.Kill();
            Assert.InRange(await PrefilledAsync(connection.Client, cancellationToken), 1, Long - 1);
            Assert.Equal((Long, "accepted"), await StandAsync(connection.Client, "stampede-1", cancellationToken));

            await WaitUntilAsync(async () => await StreamsAsync(connection.Client, cancellationToken) == 2 * staying, "The streams of the process that was killed are still open.", cancellationToken);
            await written.WaitAsync(MostTime, cancellationToken);
            Assert.Equal((Long, "accepted"), await StandAsync(connection.Client, "stampede-1", cancellationToken)); // its end was seen before the context was stored
            stored.SetResult();
            await ExplicitTest.SucceedAsync(other, MostTime, cancellationToken);
            await ExplicitTest.SucceedAsync(another, MostTime, cancellationToken);
            Assert.Equal(Long, await PrefilledAsync(connection.Client, cancellationToken));
            Assert.Equal((Long, "stored"), await StandAsync(connection.Client, "stampede-1", cancellationToken));
        }
        finally
        {
            found.TrySetResult();
            stored.TrySetResult();
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
        await ExplicitTest.SucceedAsync(one, MostTime, cancellationToken);
        await ExplicitTest.SucceedAsync(other, MostTime, cancellationToken);

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

    private static Task<SiloProcess[]> StartAsync(string store, string cluster, CancellationToken cancellationToken, string model = "models/ledger-4m") => Task.WhenAll(
        Enumerable.Range(0, 3).Select(number => SiloProcess.StartAsync(
            store, cluster, cancellationToken, model: ("ledger-4m", model), settings: new Dictionary<string, string?>(SiloProcess.CrashSettings) { ["Granary__Silo__Name"] = $"silo-{number}" })));

    // Rotary positions have no end: only the config says where the window does.
    private static string CopyWithWindow(string folder, int tokens)
    {
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.GetFiles(Repository.GetPath("models/ledger-4m")))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        var config = Path.Combine(folder, "config.json");
        var text = File.ReadAllText(config);
        var wider = text.Replace("\"max_position_embeddings\": 2048", string.Create(CultureInfo.InvariantCulture, $"\"max_position_embeddings\": {tokens}"), StringComparison.Ordinal);
        Assert.NotEqual(text, wider);
        File.WriteAllText(config, wider);
        return folder;
    }

    private static string StoreBy(FaultyProxy proxy) => $"{AzuriteServer.ConnectionStringBy(proxy.Port)}Container=t{Guid.NewGuid():N}";

    private static bool IsChunkLook(ProxiedRequest request) => request.Method is "GET" or "HEAD" && request.Target.Contains("/chunks/", StringComparison.Ordinal);

    private static bool IsChunkWrite(ProxiedRequest request) => request.Method == "PUT" && request.Target.Contains("/chunks/", StringComparison.Ordinal);

    // The next request of a kind goes on when it is released, and so does what its sender, tired of waiting, sends again.
    private static (Task Held, TaskCompletionSource Release) Hold(FaultyProxy proxy, Predicate<ProxiedRequest> isWanted)
    {
        var held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        string? target = null;
        proxy.Inject(
            request => isWanted(request) && (target ??= request.Target) == request.Target,
            ProxyFault.Overtaken(() =>
            {
                held.TrySetResult();
                return release.Task;
            }),
            times: int.MaxValue);
        return (held.Task, release);
    }

    private static async Task<int> StreamsAsync(IGranaryClient client, CancellationToken cancellationToken) =>
        (await client.Cluster.ListSilosAsync(cancellationToken)).Sum(static silo => silo.Streams);

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
}
