using System.Globalization;
using Granary.Bench.Ask.Silos;
using Granary.Client;
using Granary.Inference.Benchmarks;
using Granary.Naming;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;

namespace Granary.Bench.Ask.Works;

/// <summary>What many contexts cost on one silo: asks beside those of a silo that knows one context alone, activations, listings.</summary>
internal static class ScaleWork
{
    private const double MostTimesAlone = 1.1;
    private const int ContextTokens = 64;
    private const int AskTokens = 8;
    private const int AsksOfARound = 10;
    private const int MostTimedActivations = 1000;
    private const int MostListings = 5;
    private const int AtOnce = 64;

    /// <summary>Runs it. Both silos are in this process, each on a store of its own.</summary>
    public static async Task<IReadOnlyList<BenchRow>> RunAsync(BenchOptions options, string folder, CancellationToken cancellationToken)
    {
        await using var alone = await StartAsync(OpenStore("alone"));
        var store = OpenStore("many");
        await using var many = await StartAsync(store);
        await KnownContexts.CopyAsync(store, options.Contexts, cancellationToken);
        var rows = new List<BenchRow>();
        rows.AddRange(await ActivateAsync(options, many, cancellationToken));
        rows.AddRange(await AskAsync(options, alone, many, cancellationToken));
        rows.AddRange(await ListAsync(options, many, store, cancellationToken));
        return rows;

        IObjectStore OpenStore(string name) => options.Folder is null
            ? new InMemoryObjectStore(TimeProvider.System)
            : new FolderObjectStore(Path.Combine(folder, name), TimeProvider.System);

        async Task<BenchCluster> StartAsync(IObjectStore own)
        {
            var cluster = await BenchCluster.StartEmbeddedAsync(options.Model, options.Threads, own, cancellationToken);
            try
            {
                await cluster.CreateAsync(KnownContexts.NameOf(0), Answers.ContextIds(ContextTokens), cancellationToken);
                return cluster;
            }
            catch
            {
                await cluster.DisposeAsync();
                throw;
            }
        }
    }

    // Contexts from the last one down, so that none of them is asked afterwards.
    private static async Task<IReadOnlyList<BenchRow>> ActivateAsync(BenchOptions options, BenchCluster many, CancellationToken cancellationToken)
    {
        var fresh = Enumerable.Range(0, options.Activations).Select(index => many.Client.Context(BenchCluster.ModelId, KnownContexts.NameOf(options.Contexts - 1 - index))).ToList();
        var timed = fresh.Take(MostTimedActivations).ToList();
        List<double> first = [], second = [];
        foreach (var context in timed)
        {
            first.Add(await Clock.TimeAsync(() => context.GetAsync(cancellationToken)) * 1e6);
            second.Add(await Clock.TimeAsync(() => context.GetAsync(cancellationToken)) * 1e6);
        }

        var (managed, process) = ReadMemory();
        var others = fresh[timed.Count..];
        var side = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        var seconds = await Clock.TimeAsync(() => Parallel.ForEachAsync(others, side, async (context, token) => await context.GetAsync(token)));
        var (managedAfter, processAfter) = ReadMemory();
        GC.KeepAlive(fresh);
        return
        [
            new BenchRow { Work = "scale", What = "first call of a context: it is activated", Unit = "µs", Samples = first, Against = "its second call", AgainstSamples = second, IsDifference = true },
            .. others.Count == 0 ? (BenchRow[])[] :
            [
                Row(string.Create(CultureInfo.InvariantCulture, $"one of {others.Count:N0} activations, {AtOnce} at once"), "µs", seconds * 1e6),
                Row("an idle context: managed memory", "bytes", managedAfter - managed),
                Row("an idle context: memory of the process", "bytes", processAfter - process),
            ],
        ];

        BenchRow Row(string what, string unit, double all) => new() { Work = "scale", What = what, Unit = unit, Samples = [all / others.Count] };
    }

    private static async Task<IReadOnlyList<BenchRow>> AskAsync(BenchOptions options, BenchCluster alone, BenchCluster many, CancellationToken cancellationToken)
    {
        var resident = Enumerable.Range(0, options.Resident).Select(index => many.Client.Context(BenchCluster.ModelId, KnownContexts.NameOf(index))).ToList();
        foreach (var context in resident)
        {
            await Answers.TimeAsync(context, AskTokens, cancellationToken);
        }

        var only = alone.Client.Context(BenchCluster.ModelId, KnownContexts.NameOf(0));
        List<double> ofOnly = [], ofSame = [], ofAny = [];
        for (var round = 0; round <= options.Rounds; round++)
        {
            for (var ask = 0; ask < AsksOfARound; ask++)
            {
                var any = resident[((round * AsksOfARound) + ask) * 7 % resident.Count];
                List<(IGranaryContext Context, List<double> Samples)> asked = [(only, ofOnly), (resident[0], ofSame), (any, ofAny)];
                foreach (var (context, samples) in ask % 2 == 0 ? asked : Enumerable.Reverse(asked))
                {
                    var milliseconds = (await Answers.TimeAsync(context, AskTokens, cancellationToken)).Seconds * 1e3;
                    if (round > 0)
                    {
                        samples.Add(milliseconds);
                    }
                }
            }
        }

        var where = string.Create(CultureInfo.InvariantCulture, $"{options.Contexts:N0} known, {options.Resident:N0} resident");
        return
        [
            Row($"an ask, {where}", ofSame),
            Row("the same, another resident context each time", ofAny),
        ];

        BenchRow Row(string what, List<double> samples) => new()
        {
            Work = "scale",
            What = what,
            Unit = "ms",
            Samples = samples,
            Against = "an ask, one known",
            AgainstSamples = ofOnly,
            Target = MostTimesAlone,
        };
    }

    private static async Task<IReadOnlyList<BenchRow>> ListAsync(BenchOptions options, BenchCluster many, IObjectStore store, CancellationToken cancellationToken)
    {
        var manifests = new ManifestStore(store);
        List<double> ours = [], first = [], floor = [], allocated = [], allocatedByFloor = [];
        for (var round = 0; round < Math.Min(options.Rounds, MostListings); round++)
        {
            var before = GC.GetTotalAllocatedBytes();
            ours.Add(await Clock.TimeAsync(ListOursAsync) / options.Contexts * 1e6);
            var between = GC.GetTotalAllocatedBytes();
            floor.Add(await Clock.TimeAsync(ReadAllAsync) / options.Contexts * 1e6);
            allocated.Add((double)(between - before) / options.Contexts);
            allocatedByFloor.Add((double)(GC.GetTotalAllocatedBytes() - between) / options.Contexts);
        }

        const string Floor = "list and read manifests";
        return
        [
            new BenchRow { Work = "scale", What = "a listed context of all", Unit = "µs", Samples = ours, Against = Floor, AgainstSamples = floor },
            new BenchRow { Work = "scale", What = "allocated by a listed context", Unit = "bytes", Samples = allocated, Against = Floor, AgainstSamples = allocatedByFloor },
            new BenchRow { Work = "scale", What = "the first listed context", Unit = "ms", Samples = first },
        ];

        async Task ListOursAsync()
        {
            var (started, count) = (TimeProvider.System.GetTimestamp(), 0);
            await foreach (var _ in many.Client.ListContextsAsync(cancellationToken: cancellationToken))
            {
                if (count++ == 0)
                {
                    first.Add(TimeProvider.System.GetElapsedTime(started).TotalMilliseconds);
                }
            }

            Require(count);
        }

        async Task ReadAllAsync()
        {
            var count = 0;
            await foreach (var found in manifests.ListAsync(Names.DefaultTenant, null, cancellationToken))
            {
                count += await manifests.FindAsync(found.Tenant, found.Model, found.Name, cancellationToken) is null ? 0 : 1;
            }

            Require(count);
        }

        void Require(int count)
        {
            if (count != options.Contexts)
            {
                throw new InvalidOperationException($"{count} of {options.Contexts} contexts were listed.");
            }
        }
    }

    private static (long Managed, long Process) ReadMemory()
    {
        for (var pass = 0; pass < 2; pass++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }

        return (GC.GetTotalMemory(forceFullCollection: false), Environment.WorkingSet);
    }
}
