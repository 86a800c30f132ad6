using System.CommandLine;
using System.Globalization;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;
using Granary.Client.Datasets;
using Granary.Errors;
using Granary.Inference.Benchmarks;
using Granary.Inference.Engine;
using Granary.Inference.Pages;
using Microsoft.Extensions.Logging;

namespace Granary.Cli.Benchmarks;

/// <summary><c>granary bench store --codecs</c>: what a codec saves, costs and changes.</summary>
internal static class BenchStoreVerb
{
    private const int DefaultNewTokens = 16;
    private const int DefaultContexts = 40;
    private const int MostNewTokens = 1 << 16;
    private const int MostContexts = 1 << 24;

    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <param name="bundleFolder">Where <c>datasets/ledgers.jsonl</c> is.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs, string bundleFolder)
    {
        var codecs = new Option<bool>("--codecs") { Description = "Compare the codecs: bytes, speed, and what they change of the answers.", Required = true };
        var dataset = new Option<string?>("--dataset") { Description = "A data set: JSON Lines or SQuAD's JSON. Default: the bundled one.", HelpName = "F" };
        var contexts = new Option<int>("--contexts") { Description = "How many of its contexts, from the first.", HelpName = "N", DefaultValueFactory = _ => DefaultContexts };
        var tokens = new Option<int>("--max-new-tokens") { Description = "Tokens of an answer.", HelpName = "N", DefaultValueFactory = _ => DefaultNewTokens };
        var model = new ModelFlags();
        var command = verbs.Verb("store", "Compares how KV can be stored. ./dev bench store times the stores.", RunAsync, codecs, dataset, contexts, tokens);
        model.AddAsArgument(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var arguments = invocation.Arguments;
            var reference = model.Read(arguments, invocation.Settings);
            if (reference.KvDtype != KvDtype.Float32)
            {
                throw new GranaryException(ErrorCodes.InvalidArgument, $"The codec bfloat16 is not for KV in {reference.Dtype}.", "Leave --dtype out, or give float32.");
            }

            var path = arguments.GetValue(dataset) ?? Path.Combine(bundleFolder, "datasets", "ledgers.jsonl");
            var items = DatasetSource.Read(path).Items.Take(NumberList.Check("--contexts", arguments.GetValue(contexts), MostContexts));
            var options = new CodecBenchmarkOptions
            {
                Folder = reference.RequiredFolder,
                ModelId = reference.Id,
                Threads = invocation.Settings.Threads,
                MaxNewTokens = NumberList.Check("--max-new-tokens", arguments.GetValue(tokens), MostNewTokens),
                Contexts = [.. items.Select(static item => new PromptedContext(item.Context, [.. item.Questions.Select(static question => question.Question)]))],
            };
            var (started, loadBefore) = (TimeProvider.System.GetUtcNow(), MachineFacts.Load());
            using var logging = LoggerFactory.Create(invocation.ConfigureLogging);
            var measured = await CodecBenchmark.RunAsync(options, logging.CreateLogger<DeviceEngine>(), Tell, cancellationToken);
            var machine = new MachineDocument(MachineFacts.Cpu, Environment.ProcessorCount, loadBefore, MachineFacts.Load());
            var document = Describe(reference.Id, Path.GetFileName(path), options.MaxNewTokens, measured, started, machine);
            invocation.WriteResult(document, terminal => Write(terminal, document));
            return 0;

            void Tell(int context)
            {
                if (invocation.Terminal.ErrorIsTerminal || invocation.Verbose)
                {
                    invocation.Terminal.Error.WriteLine($"context {context + 1} of {options.Contexts.Count}");
                }
            }
        }
    }

    private static CodecBenchmarkDocument Describe(string model, string dataset, int newTokens, CodecMeasurement measured, DateTimeOffset started, MachineDocument machine) => new()
    {
        Started = started,
        Machine = machine,
        Model = model,
        Dataset = dataset,
        Contexts = measured.Contexts,
        LeftOut = measured.LeftOut,
        Answers = measured.Answers,
        MaxNewTokens = newTokens,
        Codecs =
        [
            new CodecDocument(KvCodec.None.Name(), measured.ResidentBytes, null, null, null, 0, measured.Tokens, 0, 0),
            new CodecDocument(
                measured.Codec.Name(), measured.StoredBytes, measured.RoundBytesPerSecond, measured.EncodeBytesPerSecond, measured.DecodeBytesPerSecond,
                measured.LargestLogitDifference, measured.Tokens, measured.ChangedTokens, measured.ChangedAnswers),
        ],
    };

    private static void Write(ITerminal terminal, CodecBenchmarkDocument result)
    {
        terminal.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{result.Model}, {result.Dataset}: {result.Contexts} contexts ({result.LeftOut} left out), {result.Answers} answers of {result.MaxNewTokens} tokens; {result.Machine.Cpu}, {result.Started:yyyy-MM-dd HH:mm} UTC"));
        terminal.Out.WriteLine();
        ResultTable.Write(
            terminal,
            ["codec", ">stored", ">round, GB/s", ">encode, GB/s", ">decode, GB/s", ">largest logit difference", ">tokens changed", ">answers changed"],
            result.Codecs.Select(codec => (string[])
            [
                codec.Codec,
                ByteSizes.Show(codec.StoredBytes),
                Rate(codec.RoundBytesPerSecond), Rate(codec.EncodeBytesPerSecond), Rate(codec.DecodeBytesPerSecond),
                codec.LargestLogitDifference.ToString("G3", CultureInfo.InvariantCulture),
                Share(codec.ChangedTokens, codec.Tokens),
                Share(codec.ChangedAnswers, result.Answers),
            ]));
    }

    private static string Rate(double? perSecond) => perSecond is { } rate ? (rate / 1e9).ToString("F1", CultureInfo.InvariantCulture) : "";

    private static string Share(int part, int all) => string.Create(CultureInfo.InvariantCulture, $"{part} of {all} ({100.0 * part / all:F2} %)");
}
