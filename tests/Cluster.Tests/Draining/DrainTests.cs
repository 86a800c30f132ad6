using Granary.Client;
using Granary.Client.Contexts;
using Granary.Cluster.Tests.Processes;
using Granary.Contexts;
using Granary.Silos;
using Granary.Testing.Processes;
using Granary.Testing.Servers;

namespace Granary.Cluster.Tests.Draining;

public sealed class DrainTests(AzuriteServer azurite, RedisServer redis) : IClassFixture<AzuriteServer>, IClassFixture<RedisServer>
{
    private const string Model = "ledger-4m";
    private const int NotFound = 3;
    private const int Terminated = 143;
    private static readonly TimeSpan MostAnswer = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MostBeginning = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    [Theory, InlineData(true), InlineData(false)]
    public async Task Silo_IsToldToStopWithAStreamOpen_EndsItAndTheOtherServesTheRestMeanwhile(bool byCommand)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var name = byCommand ? "command" : "sigterm";
        var (store, cluster) = (azurite.ConnectionString + $"Prefix=drain-{name}", $"redis://{redis.Address}/drain-{name}");
        await using var first = await StartAsync("first", store, cluster, cancellationToken);
        await using var second = await StartAsync("second", store, cluster, cancellationToken);
        await using var connection = await SiloProcess.ConnectAsync(cluster, cancellationToken);
        var contexts = await CreateAsync(connection.Client, 12, cancellationToken);
        await using var held = await HeldStream.OpenAsync(contexts[0], cancellationToken);
        var leaving = (await connection.Client.Cluster.ListSilosAsync(cancellationToken)).Single(static silo => silo.Streams == 1);
        Assert.InRange(leaving.Contexts, 2, 10);
        var process = leaving.Silo == "first" ? first : second;

        var command = Task.FromResult<CommandRun?>(null);
        if (byCommand)
        {
            var unknown = await CommandRun.RunAsync(["silo", "drain", "third", "--cluster", cluster], cancellationToken);
            Assert.Equal((NotFound, "SiloNotFound"), (unknown.ExitCode, unknown.ErrorCode));
            Assert.Contains("first, second", unknown.Errors[^1], StringComparison.Ordinal);
            command = DrainAsync();
        }
        else
        {
            process.Terminate();
        }

        await WaitUntilDrainingAsync(connection.Client, leaving, cancellationToken);
        var decisions = new List<string>();
        foreach (var context in contexts.Skip(1))
        {
            var asked = TimeProvider.System.GetTimestamp();
            decisions.Add((await context.AskToEndAsync(Ask, cancellationToken)).Plan.Decision);
            Assert.InRange(TimeProvider.System.GetElapsedTime(asked), TimeSpan.Zero, MostAnswer);
        }

        Assert.Equal(leaving.Contexts - 1, decisions.Count(static decision => decision == "load")); // those that the leaving silo held
        Assert.False(process.HasExited);
        Assert.Equal(HeldStream.Tokens, (await held.EndAsync()).TokenIds.Length);
        await process.WaitForOrderlyEndAsync(cancellationToken);

        var left = Assert.Single(await connection.Client.Cluster.ListSilosAsync(cancellationToken));
        Assert.NotEqual(leaving.Silo, left.Silo);
        Assert.Equal("resident", (await contexts[1].AskToEndAsync(Ask, cancellationToken)).Plan.Decision);
        if (await command is { } run)
        {
            Assert.Equal((leaving.Silo, "stopped"), (run.Result.GetProperty("silo").GetString(), run.Result.GetProperty("state").GetString()));
        }

        async Task<CommandRun?> DrainAsync() => await CommandRun.SucceedAsync(["silo", "drain", leaving.Silo, "--cluster", cluster], cancellationToken);
    }

    [Fact]
    public async Task Silo_IsToldToStopTwice_EndsAtOnce()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        using var folder = new ScratchFolder();
        var gateway = LoopbackPort.FindFree();
        await using var silo = await SiloProcess.StartAsync(folder.GetPath("store"), "localhost", cancellationToken, gateway);
        await using var connection = await SiloProcess.ConnectAsync($"localhost:{gateway}", cancellationToken);
        await using var held = await HeldStream.OpenAsync((await CreateAsync(connection.Client, 1, cancellationToken))[0], cancellationToken);

        silo.Terminate();
        await WaitUntilDrainingAsync(connection.Client, (await connection.Client.Cluster.ListSilosAsync(cancellationToken))[0], cancellationToken);
        Assert.False(silo.HasExited);
        silo.Terminate();

        Assert.Equal(Terminated, await silo.WaitForExitAsync(cancellationToken));
    }

    [Fact]
    public async Task ThreeSilos_EachDrainedInTurn_NoneOf20StreamsFails()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var (store, cluster) = (azurite.ConnectionString + "Prefix=drain-rolling", $"redis://{redis.Address}/drain-rolling");
        var silos = new Dictionary<string, SiloProcess>();
        try
        {
            // The last one does not wait for callers that take their time: their streams go on at another silo.
            string[] names = ["one", "two", "three"];
            foreach (var (name, silo) in names.Zip(await Task.WhenAll(names.Select(name => StartAsync(name, store, cluster, cancellationToken, name == names[^1] ? "00:00:01" : null)))))
            {
                silos[name] = silo;
            }

            await using var connection = await SiloProcess.ConnectAsync(cluster, cancellationToken);
            var contexts = await CreateAsync(connection.Client, 20, cancellationToken);
            var undisturbed = await Task.WhenAll(contexts.Select(async context => (await (await HeldStream.OpenAsync(context, cancellationToken)).EndAsync()).TokenIds));
            foreach (var name in names)
            {
                var streams = await Task.WhenAll(contexts.Select(context => HeldStream.OpenAsync(context, cancellationToken)));
                var leaving = (await connection.Client.Cluster.ListSilosAsync(cancellationToken)).Single(silo => silo.Silo == name);
                Assert.InRange(leaving.Streams, 1, contexts.Length);
                var command = Task.CompletedTask;
                if (name == names[1])
                {
                    command = CommandRun.SucceedAsync(["silo", "drain", name, "--cluster", cluster], cancellationToken);
                }
                else
                {
                    silos[name].Terminate();
                }

                await WaitUntilDrainingAsync(connection.Client, leaving, cancellationToken);
                if (name == names[^1])
                {
                    await silos[name].WaitForOrderlyEndAsync(cancellationToken);
                }

                var answers = await Task.WhenAll(streams.Select(static stream => stream.EndAsync()));
                Assert.Equal(undisturbed, answers.Select(static answer => answer.TokenIds));
                await command;
                if (name != names[^1])
                {
                    await silos[name].WaitForOrderlyEndAsync(cancellationToken);
                    silos[name] = await StartAsync(name, store, cluster, cancellationToken);
                }
            }
        }
        finally
        {
            foreach (var silo in silos.Values)
            {
                await silo.DisposeAsync();
            }
        }
    }

    private static AskRequest Ask { get; } = new() { Prompt = TokenInput.OfTokens(7, 8, 9), Options = new GenerationOptions { MaxNewTokens = 4, IgnoreEos = true } };

    private static Task<SiloProcess> StartAsync(string name, string store, string cluster, CancellationToken cancellationToken, string? drainTimeout = null) =>
        SiloProcess.StartAsync(store, cluster, cancellationToken, settings: new Dictionary<string, string?> { ["Granary__Silo__Name"] = name, ["Granary__Silo__DrainTimeout"] = drainTimeout ?? "00:00:30" });

    private static async Task<IGranaryContext[]> CreateAsync(IGranaryClient client, int count, CancellationToken cancellationToken)
    {
        var contexts = Enumerable.Range(0, count).Select(number => client.Context(Model, $"c-{number}")).ToArray();
        for (var number = 0; number < count; number++)
        {
            await foreach (var _ in contexts[number].CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens([.. Enumerable.Range(100 + number, 20)]) }, cancellationToken))
            {
            }
        }

        return contexts;
    }

    private static async Task WaitUntilDrainingAsync(IGranaryClient client, SiloDescription leaving, CancellationToken cancellationToken)
    {
        var since = TimeProvider.System.GetTimestamp();
        while ((await client.Cluster.ListSilosAsync(cancellationToken)).Any(silo => silo.Address == leaving.Address && silo.State == SiloStates.Serving))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(since) < MostBeginning, $"'{leaving.Silo}' does not drain.");
            await Task.Delay(Poll, TimeProvider.System, cancellationToken);
        }
    }
}
