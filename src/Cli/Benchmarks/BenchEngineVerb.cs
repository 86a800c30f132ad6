using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Models;
using Granary.Inference.Benchmarks;
using Granary.Inference.Engine;
using Microsoft.Extensions.Logging;

namespace Granary.Cli.Benchmarks;

/// <summary><c>granary bench engine</c>: the engine alone, without a store, on any checkpoint.</summary>
internal static class BenchEngineVerb
{
    private const int MostTokens = 1 << 24;
    private const int MostAsks = 1 << 16;
    private const int MostRounds = 10_000;
    private const int MostThreads = 1024;
    private const int DefaultRounds = 5;
    private const int DefaultSteps = 32;

    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var threads = new Option<int?>("--threads") { Description = "Threads that compute. Default: Granary:Engine:Threads, else the engine's choice.", HelpName = "N" };
        var rounds = new Option<int>("--rounds") { Description = "Rounds that are timed, after one that is not.", HelpName = "N", DefaultValueFactory = _ => DefaultRounds };
        var steps = new Option<int>("--steps") { Description = "Decode steps of which a time is the mean.", HelpName = "N", DefaultValueFactory = _ => DefaultSteps };
        var prefill = new Option<string>("--prefill") { Description = "Tokens of the prefills.", HelpName = "LIST", DefaultValueFactory = _ => "512,2048" };
        var contexts = new Option<string>("--contexts") { Description = "Tokens of the contexts that are decoded over; no two asks share a byte.", HelpName = "LIST", DefaultValueFactory = _ => "128,2048" };
        var batches = new Option<string>("--batches") { Description = "Asks that decode together.", HelpName = "LIST", DefaultValueFactory = _ => "1,8,32" };
        var works = new Option<string>("--works") { Description = $"Some of {BenchmarkWorks.All}.", HelpName = "LIST", DefaultValueFactory = _ => BenchmarkWorks.All };
        var model = new ModelFlags();
        var command = verbs.Verb("engine", "Times load, prefill and decode against the bytes and operations that no engine avoids.", RunAsync, threads, rounds, steps, prefill, contexts, batches, works);
        model.AddAsArgument(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var arguments = invocation.Arguments;
            var chosen = new BenchmarkWorks
            {
                Chosen = BenchmarkWorks.Parse(arguments.GetRequiredValue(works)),
                PrefillTokens = NumberList.Parse("--prefill", arguments.GetRequiredValue(prefill), MostTokens),
                ContextTokens = NumberList.Parse("--contexts", arguments.GetRequiredValue(contexts), MostTokens),
                Batches = NumberList.Parse("--batches", arguments.GetRequiredValue(batches), MostAsks),
            };
            var reference = model.Read(arguments, invocation.Settings);
            var options = new EngineBenchmarkOptions
            {
                Folder = reference.RequiredFolder,
                ModelId = reference.Id,
                Dtype = reference.KvDtype,
                Threads = arguments.GetValue(threads) is { } count ? NumberList.Check("--threads", count, MostThreads) : invocation.Settings.Threads,
                Rounds = NumberList.Check("--rounds", arguments.GetValue(rounds), MostRounds),
                Steps = NumberList.Check("--steps", arguments.GetValue(steps), MostTokens),
                Cases = chosen.Cases,
            };
            var (started, loadBefore) = (TimeProvider.System.GetUtcNow(), MachineFacts.Load());
            using var logging = LoggerFactory.Create(invocation.ConfigureLogging);
            var measured = await EngineBenchmark.RunAsync(options, logging.CreateLogger<DeviceEngine>(), Tell, cancellationToken);
            var machine = new MachineDocument(MachineFacts.Cpu, Environment.ProcessorCount, loadBefore, MachineFacts.Load());
            var document = Describe(reference, options, measured, started, machine);
            invocation.WriteResult(document, terminal => BenchEngineTable.Write(terminal, document, measured));
            return 0;

            // Between rounds only: a bar that moves takes time from what is timed.
            void Tell(int round)
            {
                if (invocation.Terminal.ErrorIsTerminal || invocation.Verbose)
                {
                    invocation.Terminal.Error.WriteLine(round == 0 ? "warming up" : $"round {round} of {options.Rounds}");
                }
            }
        }
    }

    private static EngineBenchmarkDocument Describe(ModelReference reference, EngineBenchmarkOptions options, EngineMeasurement measured, DateTimeOffset started, MachineDocument machine) => new()
    {
        Started = started,
        Machine = machine,
        Model = reference.Id,
        Dtype = reference.Dtype,
        Threads = measured.Threads,
        Rounds = options.Rounds,
        Steps = options.Steps,
        Numerics = measured.Numerics.Id,
        Exact = measured.Numerics.Exact,
        ReadBytesPerSecond = measured.ReadBytesPerSecond,
        GemmFlopsPerSecond = measured.GemmFlopsPerSecond,
        SelfTestSeconds = measured.SelfTestSeconds,
        Rows = [.. measured.Rows.Select(static row => new BenchmarkRowDocument(
            BenchmarkWorks.Name(row.Case.Work),
            row.Case.Tokens,
            row.Case.Asks,
            row.Case.Shared,
            row.Seconds,
            row.FloorSeconds,
            row.Case.Floor,
            new BenchmarkRatioDocument(row.RatioOfMinima, row.RatioOfMedians)))],
        LeftOut = [.. measured.LeftOut.Select(static row =>
            new LeftOutDocument(BenchmarkWorks.Name(row.Case.Work), row.Case.Tokens, row.Case.Asks, row.Case.Shared, row.Reason))],
    };
}
