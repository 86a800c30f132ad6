using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;
using Granary.Errors;
using Granary.Inference.Checkpoints;
using Granary.Inference.Pages;
using Granary.Inference.Shapes;

namespace Granary.Cli.Models;

/// <summary><c>granary size</c>: the bytes of KV caches, before any is computed.</summary>
internal static class SizeVerb
{
    private const int DefaultSequenceLength = 2048;
    private const long DefaultExamples = 225;

    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var models = new Argument<string[]>("M") { Description = $"Models of the settings, checkpoint folders, or {PythiaShapes.Names[0]} to {PythiaShapes.Names[^1]}.", Arity = ArgumentArity.OneOrMore };
        var sequenceLength = new Option<int>("--sequence-length") { Description = "Tokens of an example.", DefaultValueFactory = _ => DefaultSequenceLength };
        var examples = new Option<long>("--examples") { Description = "How many.", DefaultValueFactory = _ => DefaultExamples };
        var memory = new Option<string?>("--memory") { Description = "Adds how many examples fit: 80GB is 80 · 10^9 bytes, 80GiB 80 · 2^30." };
        var flags = new ModelFlags();
        var command = verbs.Verb("size", "Gives the bytes of KV caches.", RunAsync, models, sequenceLength, examples, memory);
        flags.AddCompanions(command);
        return command;

        Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var arguments = invocation.Arguments;
            var request = new SizeRequest(
                Positive("--sequence-length", arguments.GetValue(sequenceLength)),
                Positive("--examples", arguments.GetValue(examples)),
                arguments.GetValue(memory) is { } text ? ByteSizes.Parse("--memory", text) : null);
            var rows = new List<SizeDocument>();
            foreach (var model in arguments.GetRequiredValue(models))
            {
                rows.Add(Row(Find(model, flags, arguments, invocation.Settings), request, rows.Count == 0 ? 0 : rows[^1].BytesCumulative));
            }

            invocation.WriteResult(rows, terminal => Show(terminal, rows));
            return Task.FromResult(0);
        }
    }

    private static (string Id, ModelConfig Config, KvDtype Dtype) Find(string model, ModelFlags flags, ParseResult arguments, Settings settings)
    {
        // A folder of that name goes before the shape that everybody knows.
        if (!File.Exists(Path.Combine(model, "config.json")) && !settings.Models.ContainsKey(model) && PythiaShapes.TryGet(model, out var shape))
        {
            var name = model.ToLowerInvariant();
            return (PythiaShapes.Names.Contains(name) ? name : "pythia-" + name, shape, new ModelReference(name, null, flags.Dtype(arguments) ?? "float32").KvDtype);
        }

        var reference = ModelReference.Resolve(model, flags.Dtype(arguments), flags.ModelId(arguments), settings);
        using var checkpoint = Checkpoint.Open(reference.RequiredFolder);
        return (reference.Id, checkpoint.Config, reference.KvDtype);
    }

    private static SizeDocument Row((string Id, ModelConfig Config, KvDtype Dtype) model, SizeRequest request, long before)
    {
        var (id, config, dtype) = model;
        var bytes = KvSize.Bytes(config, (int)request.SequenceLength, dtype);
        try
        {
            var total = checked(bytes * request.Examples);
            return new SizeDocument(
                id, config.Layers, config.HiddenSize, dtype.Name(), (int)request.SequenceLength, bytes, request.Examples, total, checked(before + total), request.MemoryBytes / bytes);
        }
        catch (OverflowException e)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"{request.Examples} examples of '{id}' are more bytes than 64 bits count.", "Give fewer --examples.", e);
        }
    }

    private static long Positive(string flag, long value) => value > 0
        ? value
        : throw new GranaryException(ErrorCodes.InvalidArgument, $"{flag} is {value}.", "Give a number above 0.");

    private static void Show(ITerminal terminal, List<SizeDocument> rows)
    {
        string[] columns = ["model", ">layers", ">hidden", "dtype", ">tokens", ">an example", ">examples", ">all", ">cumulative"];
        var fit = rows[0].ExamplesFit is not null;
        ResultTable.Write(terminal, fit ? [.. columns, ">fit"] : columns, rows.Select(row =>
        {
            string[] cells =
            [
                row.Model, $"{row.Layers}", $"{row.HiddenSize}", row.Dtype, $"{row.SequenceLength}",
                ByteSizes.Show(row.BytesPerExample), $"{row.Examples}", ByteSizes.Show(row.BytesTotal), ByteSizes.Show(row.BytesCumulative),
            ];
            return fit ? [.. cells, $"{row.ExamplesFit}"] : cells;
        }));
    }

    private readonly record struct SizeRequest(long SequenceLength, long Examples, long? MemoryBytes);
}
