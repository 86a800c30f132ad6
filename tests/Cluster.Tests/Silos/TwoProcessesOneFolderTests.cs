using System.Globalization;
using Granary.Client;
using Granary.Cluster.Tests.Processes;
using Granary.Contexts;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Testing.Processes;

namespace Granary.Cluster.Tests.Silos;

/// <summary>Two processes, each its own cluster, on one folder: the store is the fence (DESIGN §6).</summary>
public sealed class TwoProcessesOneFolderTests
{
    private const int Each = 100;
    private const string Model = "ledger-4m";
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(60);

    [Fact, Trait("Invariant", "4")]
    public async Task AppendAsync_AHundredFromEachOfTwoEmbeddedSilos_ExactlyTwoHundredMore()
    {
        const int First = 10, Other = 1000;
        var cancellationToken = TestContext.Current.CancellationToken;
        using var folder = new ScratchFolder();
        var store = folder.GetPath("store");
        await using var third = await EmbeddedSilo.StartAsync(store, cancellationToken);
        var log = third.Client.Context(Model, "log");
        await using var one = AppendClient.Start(store, "log", (First, Each));
        await using var other = AppendClient.Start(store, "log", (Other, Each));
        await AppendClient.WaitUntilUpAsync(one, cancellationToken);
        await AppendClient.WaitUntilUpAsync(other, cancellationToken);
        await log.CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(1) }, cancellationToken).LastAsync(cancellationToken); // both begin now

        await Task.WhenAll(ExplicitTest.SucceedAsync(one, MostTime, cancellationToken), ExplicitTest.SucceedAsync(other, MostTime, cancellationToken));

        var described = await log.GetAsync(cancellationToken);
        Assert.Equal((1 + (2 * Each), 1L + (2 * Each)), (described.Tokens, described.Version));
        var stored = await new ManifestStore(ObjectStores.Open(store, TimeProvider.System)).FindAsync("default", Model, "log", cancellationToken);
        Assert.Equal(described.Version, stored!.Manifest.Version);
        var added = stored.Manifest.TokenIds[1..];
        Assert.Equal(2 * Each, added.Length);
        Assert.Equal(Enumerable.Range(First, Each), added.Where(static id => id < Other));
        Assert.Equal(Enumerable.Range(Other, Each), added.Where(static id => id >= Other));

        // Had one ended before the other began, nobody would have been in anybody's way.
        Assert.InRange(Array.IndexOf(added, Other), 0, Array.IndexOf(added, First + Each - 1));
        Assert.InRange(Array.IndexOf(added, First), 0, Array.IndexOf(added, Other + Each - 1));
    }

    [Fact, Trait("Category", "Crash"), Trait("Invariant", "4")]
    public async Task AppendAsync_AHundredFromEachAndOneIsKilledInBetween_ExactlyTwoHundredMore()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        using var folder = new ScratchFolder();
        var store = folder.GetPath("store");
        var (first, second) = (LoopbackPort.FindFree(), LoopbackPort.FindFree());
        await using var survivor = await SiloProcess.StartAsync(store, "localhost", cancellationToken, first);
        var victim = await SiloProcess.StartAsync(store, "localhost", cancellationToken, second);
        try
        {
            await using var here = await ConnectAsync(first, cancellationToken);
            await using var there = await ConnectAsync(second, cancellationToken);
            await here.Client.Context(Model, "log").CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(1) }, cancellationToken).LastAsync(cancellationToken);

            var (reached, killAt) = (0, new TaskCompletionSource());
            var one = AppendAsync(here.Client, 10, () => { });
            var other = AppendAsync(there.Client, 1000, () =>
            {
                if (++reached == Each / 2)
                {
                    killAt.SetResult();
                }
            });
            await Task.WhenAny(killAt.Task, other);
            await victim.KillAsync(cancellationToken);
            await victim.DisposeAsync();
            victim = await SiloProcess.StartAsync(store, "localhost", cancellationToken, second);

            var versions = (await Task.WhenAll(one, other)).SelectMany(static made => made).ToList();
            Assert.Equal(2 * Each, versions.Distinct().Count());
            var context = await here.Client.Context(Model, "log").GetAsync(cancellationToken);
            Assert.Equal((1 + (2 * Each), 1L + (2 * Each)), (context.Tokens, context.Version));
        }
        finally
        {
            await victim.DisposeAsync();
        }

        async Task<List<long>> AppendAsync(IGranaryClient client, int firstId, Action appended)
        {
            var versions = new List<long>();
            for (var i = 0; i < Each; i++)
            {
                var request = new AppendRequest { Input = TokenInput.OfTokens(firstId + i) };
                var last = await client.Context(Model, "log").AppendAsync(request, cancellationToken).LastAsync(cancellationToken);
                versions.Add(last.Result!.Version);
                appended();
            }

            return versions;
        }
    }

    private static Task<GranaryConnection> ConnectAsync(int port, CancellationToken cancellationToken) =>
        SiloProcess.ConnectAsync(string.Create(CultureInfo.InvariantCulture, $"localhost:{port}"), cancellationToken);
}
