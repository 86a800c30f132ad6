using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Granary.Bench.Common;
using Granary.Inference.Benchmarks;

namespace Granary.Bench.Engine;

/// <summary>The run: in every round each engine does each unit once, in a process of its own, and they take turns in going first.</summary>
internal sealed class Benchmark(BenchOptions options)
{
    private readonly string _tokenizer = RandomCheckpoints.TokenizerOf(options.Shared);

    /// <summary>Runs it.</summary>
    /// <exception cref="BenchException">A process failed, or something is missing.</exception>
    public async Task<BenchReport> RunAsync(CancellationToken cancellationToken)
    {
        var (started, loadBefore) = (TimeProvider.System.GetUtcNow(), MachineFacts.Load());
        var peer = await Peer.FindAsync(options, cancellationToken);
        var models = new List<ModelReport>();
        foreach (var shape in options.Shapes)
        {
            foreach (var dtype in options.Dtypes)
            {
                models.Add(await MeasureAsync(shape, dtype, peer, cancellationToken));
            }
        }

        return new BenchReport
        {
            Started = started,
            LoadBefore = loadBefore,
            LoadAfter = MachineFacts.Load(),
            Threads = options.Threads,
            Rounds = options.Rounds,
            Repeats = options.Repeats,
            Models = models,
        };
    }

    private async Task<ModelReport> MeasureAsync(string shape, string dtype, Peer? peer, CancellationToken cancellationToken)
    {
        var checkpoint = await RandomCheckpoints.GetAsync(options.Folder, shape, _tokenizer, cancellationToken);
        var series = new Series();
        var runs = new List<EngineRun>();
        var numerics = "";
        var engines = new List<Func<WorkUnit, int, Task>> { OursAsync };
        foreach (var kind in peer is null ? [] : PeerKind.Of(dtype))
        {
            var file = await peer!.ConvertAsync(checkpoint, kind.WeightType, _tokenizer, cancellationToken);
            engines.Add((unit, round) => PeerAsync(peer, kind, file, unit, round));
        }

        for (var round = 1; round <= options.Rounds; round++)
        {
            await Console.Error.WriteLineAsync($"{shape}, {dtype}: round {round} of {options.Rounds}");
            foreach (var unit in options.Units)
            {
                foreach (var engine in round % 2 == 1 ? engines : Enumerable.Reverse(engines))
                {
                    await engine(unit, round);
                }
            }
        }

        return new ModelReport(shape, dtype, numerics, Targets.Compare(series, dtype), runs);

        async Task OursAsync(WorkUnit unit, int round)
        {
            string[] arguments = ["bench", "engine", checkpoint, "--dtype", dtype, "--threads", Number(options.Threads), "--rounds", Number(options.Repeats), "--json"];
            var document = await ChildCommand.RunAsync(options.Granary, [.. arguments, .. unit.Ours], cancellationToken);
            var run = OurRun.Parse(document);
            series.Add(run);
            numerics = run.Exact ? run.Numerics : $"{run.Numerics}, inexact";
            Keep(Series.Ours, unit, round, document);
        }

        async Task PeerAsync(Peer from, PeerKind kind, string file, WorkUnit unit, int round)
        {
            if (unit.Peers.Count == 0)
            {
                return;
            }

            var document = await from.RunAsync(kind, file, unit, cancellationToken);
            foreach (var (key, sample) in PeerRun.Parse(document))
            {
                series.Add(kind.ToString(), key, sample);
            }

            Keep(kind.ToString(), unit, round, document);
        }

        void Keep(string engine, WorkUnit unit, int round, string document) =>
            runs.Add(new EngineRun(round, unit.Name, engine, JsonNode.Parse(document) ?? throw new UnreachableException("The document was read before.")));
    }

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
}
