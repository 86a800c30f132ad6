using System.Globalization;
using Granary.Cluster.Tests.Processes;
using Granary.Storage.Maintenance;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Testing.Servers;

namespace Granary.Cluster.Tests.Chaos;

/// <summary>Three silos, Redis, Azurite, eight clients, a sweep that does not end, and a hand that kills: nothing that was acknowledged is lost, doubled or wrong.</summary>
/// <remarks><c>./dev chaos [--minutes N]</c> sets <c>GRANARY_CHAOS_MINUTES</c>; without it a run takes 40 s.</remarks>
public sealed class ChaosTests(AzuriteServer azurite, RedisServer redis, ITestOutputHelper output) : IClassFixture<AzuriteServer>, IClassFixture<RedisServer>
{
    private const int Clients = 8;
    private const int FirstContexts = 64;
    private const int Shown = 3;
    private static readonly double Minutes = double.Parse(Environment.GetEnvironmentVariable("GRANARY_CHAOS_MINUTES") ?? "0", CultureInfo.InvariantCulture);
    private static readonly bool IsLong = Minutes > 0;
    private static readonly int FewestCalls = IsLong ? 50 : 1;
    private static readonly TimeSpan Lasts = IsLong ? TimeSpan.FromMinutes(Minutes) : TimeSpan.FromSeconds(40);
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(6); // silos that have just started compile what they do for the first time
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(IsLong ? 20 : 12); // longer than it takes to be found dead

    // The shortest that is safe by StoreSweepOptions.Grace, longer than any creation takes from its first chunk to its manifest: a silo may be paused between the two. The
    // rest is for what it does before and after, and Azurite's times are whole seconds.
    private static readonly TimeSpan Grace = Pause + TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Blame = TimeSpan.FromSeconds(8); // found dead within two seconds, its part of the directory is taken over five seconds later: a call that begins after that has nothing to do with it
    private static readonly TimeSpan ResponseTimeout = TimeSpan.FromSeconds(2);

    [Fact, Trait("Category", "Crash"), Trait("Invariant", "2"), Trait("Invariant", "4")]
    public async Task ThreeSilos_KilledStoppedAndPaused_NothingAcknowledgedIsLostDoubledOrWrong()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var random = new Random(20261129);
        var (store, cluster) = (azurite.ConnectionString + $"Prefix=chaos{Guid.NewGuid():N}", $"redis://{redis.Address}/chaos");
        var ledger = new ChaosLedger();
        await using var silos = await ChaosSilos.StartAsync(store, cluster, cancellationToken);
        var journals = Enumerable.Range(0, Clients).Select(static _ => new ChaosJournal()).ToList();
        var connections = await Task.WhenAll(journals.Select(journal => SiloProcess.ConnectAsync(cluster, cancellationToken, ResponseTimeout, journal)));
        await using var sweeping = await SiloProcess.ConnectAsync(cluster, cancellationToken, ResponseTimeout);
        var sweeper = new ChaosSweeper(sweeping.Client, ledger, Grace);
        try
        {
            var clients = connections.Select((connection, index) => new ChaosClient(connection.Client, ledger, index)).ToList();
            await Task.WhenAll(clients.Select(async client =>
            {
                for (var i = 0; i < FirstContexts / Clients; i++)
                {
                    await client.CreateAsync(cancellationToken);
                }
            }));

            using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var running = clients.Select(client => client.RunAsync(stopping.Token, cancellationToken)).Append(sweeper.RunAsync(stopping.Token, cancellationToken)).ToList();
            await Task.Delay(WarmUp, TimeProvider.System, cancellationToken);
            ledger.BeginMeasuring();
            await DisturbAsync(silos, random, cancellationToken);
            await stopping.CancelAsync();
            await Task.WhenAll(running);
            await silos.RecoverAsync();
        }
        finally
        {
            foreach (var connection in connections)
            {
                await connection.DisposeAsync();
            }
        }

        var (waits, began) = (ledger.FindWaits(silos.Disturbances, Blame), ledger.Calls.Min(static call => call.Began));
        output.WriteLine(string.Join(", ", silos.Disturbances.OrderBy(static disturbance => disturbance.Began).Select(disturbance => $"{SecondsAt(disturbance.Began)} {disturbance.Kind}")));
        foreach (var (kind, longest) in waits.OrderBy(static entry => entry.Key))
        {
            output.WriteLine($"{kind}: {silos.Disturbances.Count(disturbance => disturbance.Kind == kind)} times, {longest.Count} calls, {longest.Count(static wait => wait.Blows > 1)} of them under more than one");
            foreach (var wait in longest.Take(Shown))
            {
                output.WriteLine($"  {wait.Took.TotalSeconds:F2} s under {wait.Blows} ({wait.Call.Verb} from {SecondsAt(wait.Call.Began)} to {SecondsAt(wait.Call.Ended)})");
                foreach (var line in journals[wait.Call.Client].Find(wait.Call.Began, wait.Call.Ended))
                {
                    output.WriteLine($"    {line}");
                }
            }
        }

        foreach (var calls in ledger.Calls.GroupBy(static call => call.Verb).OrderBy(static calls => calls.Key, StringComparer.Ordinal))
        {
            double[] seconds = [.. calls.Select(static call => TimeProvider.System.GetElapsedTime(call.Began, call.Ended).TotalSeconds).Order()];
            output.WriteLine($"{calls.Key}: {seconds.Length} calls, median {seconds[seconds.Length / 2]:F3} s, 95th of 100 {seconds[seconds.Length * 95 / 100]:F3} s, longest {seconds[^1]:F2} s");
        }

        output.WriteLine(sweeper.ToString());

        string SecondsAt(long instant) => string.Create(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetElapsedTime(began, instant).TotalSeconds:F1}");

        await CheckAsync(ledger, store, cancellationToken);
        Assert.True(sweeper is { Tombstones: > 0, Chunks: > 0 }, $"Nothing was collected while silos died: {sweeper}.");
        Assert.All([Disturbance.Terminated, Disturbance.Killed, Disturbance.Paused], kind => Assert.InRange(waits.GetValueOrDefault(kind)?.Count ?? 0, FewestCalls, int.MaxValue)); // each is measured on something
        AssertWithin(waits, Disturbance.None, TimeSpan.FromSeconds(2)); // silos that have started again are cold, too, and share two cores with all else
        AssertWithin(waits, Disturbance.Terminated, TimeSpan.FromSeconds(1));
        AssertWithin(waits, Disturbance.Killed, TimeSpan.FromSeconds(5));
        AssertWithin(waits, Disturbance.Paused, TimeSpan.FromSeconds(15));
    }

    private static void AssertWithin(IReadOnlyDictionary<Disturbance, IReadOnlyList<ChaosWait>> waits, Disturbance kind, TimeSpan most)
    {
        if (waits.TryGetValue(kind, out var longest) && longest[0] is var wait)
        {
            Assert.True(wait.Took <= most * wait.Blows, $"{kind}: a call ({wait.Call.Verb} of '{wait.Call.Context}') took {wait.Took} under {wait.Blows}, at most {most} is allowed for each.");
        }
    }

    private async Task DisturbAsync(ChaosSilos silos, Random random, CancellationToken cancellationToken)
    {
        var (began, hasPaused, ticks, strokes) = (TimeProvider.System.GetTimestamp(), false, 0, 0);
        while (TimeProvider.System.GetElapsedTime(began) < Lasts)
        {
            await Task.Delay(Between, TimeProvider.System, cancellationToken);
            var pauses = !hasPaused && TimeProvider.System.GetElapsedTime(began) > Lasts / 4;

            // First of all one that is told to stop: what comes after a kill is blamed on that.
            var kind = pauses ? Disturbance.Paused : ticks > 0 && (ticks == 2 || random.Next(2) == 0) ? Disturbance.Killed : Disturbance.Terminated;
            ticks++;
            if (silos.TryDisturb(kind, pauses ? Pause : TimeSpan.Zero, random, cancellationToken))
            {
                strokes++;
                hasPaused |= pauses;
            }
        }

        output.WriteLine($"{strokes} silos were struck at {ticks} ticks; at the others fewer than two were ready");
        Assert.True(strokes >= ticks / 4, "Silos start too slowly here for a run that means anything.");
    }

    private async Task CheckAsync(ChaosLedger ledger, string store, CancellationToken cancellationToken)
    {
        var objects = ObjectStores.Open(store, TimeProvider.System);
        var manifests = new ManifestStore(objects);
        var stored = new Dictionary<string, ContextManifest?>();
        foreach (var context in ledger.Contexts)
        {
            stored[context.Name] = (await manifests.FindAsync("default", ChaosClient.Model, context.Name, cancellationToken))?.Manifest;
        }

        int[]? IdsOf(ChaosContext context) => stored[context.Name] is { State: not ManifestStates.Deleted } manifest ? manifest.TokenIds : context.KnownIds(IdsOf);

        var unknown = 0; // forks of what was deleted, after a change that nobody was told of
        foreach (var context in ledger.Contexts.Where(static context => context.Tokens > 0))
        {
            if (context.FirstIds(IdsOf) is not { } first)
            {
                unknown++;
            }
            else if (context.Compare(stored[context.Name], first) is { } fault)
            {
                ledger.Violate(fault);
            }
        }

        var found = await new StoreCheck(objects, TimeProvider.System).RunAsync("default", repair: false, static _ => { }, cancellationToken);
        foreach (var fault in found.Faults)
        {
            ledger.Violate($"{fault.Key}, of '{fault.Context}': {fault.Reason}"); // no sweep has taken what a living context names
        }

        await using var reference = await ReferenceAnswers.StartAsync(cancellationToken);
        var (compared, wrong) = await reference.CompareAsync(ledger.Answers, IdsOf, cancellationToken);
        output.WriteLine($"{ledger.Calls.Count} calls, {compared} of {ledger.Answers.Count} answers compared");
        output.WriteLine($"{ledger.Contexts.Count} contexts, {unknown} forks of unknown ids; {stored.Values.Count(static manifest => manifest is null)} have no manifest any more");
        string[] violations = [.. ledger.Violations, .. wrong];
        Assert.True(violations.Length == 0, string.Join('\n', violations.Take(20)));
        Assert.InRange(unknown, 0, ledger.Contexts.Count / 20);
        Assert.InRange(compared, ledger.Answers.Count * 9 / 10, ledger.Answers.Count);
    }
}
