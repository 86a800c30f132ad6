using System.Globalization;
using Granary.Client;
using Granary.Cluster.Tests.Processes;
using Granary.Contexts;
using Granary.Testing.Processes;

namespace Granary.Cluster.Tests.Silos;

/// <summary>Two processes, each its own cluster, on one folder: the store is the fence (DESIGN §6).</summary>
public sealed class TwoProcessesOneFolderTests
{
    private const int Each = 100;
    private const string Model = "ledger-4m";

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
