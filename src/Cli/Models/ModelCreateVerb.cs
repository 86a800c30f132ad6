using System.CommandLine;
using Granary.Cli.Documents;
using Granary.Errors;
using Granary.Inference.Shapes;
using Granary.Naming;

namespace Granary.Cli.Models;

/// <summary><c>granary model create</c>.</summary>
internal static class ModelCreateVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var shape = new Option<string>("--shape") { Description = $"One of {string.Join(", ", PythiaShapes.Names)}.", Required = true };
        var seed = new Option<int>("--seed") { Description = "Seed of the weights.", Required = true };
        var window = new Option<int?>("--window") { Description = "Most tokens of a sequence. Default: 2048." };
        var tokenizer = new Option<string?>("--tokenizer") { Description = "A tokenizer.json to copy. Default: none, token ids only." };
        var output = new Option<string>("--out") { Description = "The new folder.", Required = true };
        return verbs.Verb("create", "Makes a checkpoint of random weights, for benchmarks.", RunAsync, shape, seed, window, tokenizer, output);

        Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var arguments = invocation.Arguments;
            var name = arguments.GetRequiredValue(shape);
            if (!PythiaShapes.TryGet(name, out var config))
            {
                throw new GranaryException(ErrorCodes.InvalidArgument, $"--shape is '{name}', which is not known.", $"Give one of {string.Join(", ", PythiaShapes.Names)}.");
            }

            if (arguments.GetValue(window) is { } tokens)
            {
                config = tokens > 0
                    ? config with { Window = tokens }
                    : throw new GranaryException(ErrorCodes.InvalidArgument, $"--window is {tokens}.", "Give a number above 0.");
            }

            var folder = arguments.GetRequiredValue(output);
            var file = arguments.GetValue(tokenizer);
            Write(folder, () => RandomCheckpoint.Create(config, arguments.GetRequiredValue(seed), folder, file, cancellationToken: cancellationToken));
            var document = new ModelCreatedDocument(Names.ModelOfFolder(folder, "float32"), folder, name, arguments.GetRequiredValue(seed), config.Window, file is not null);
            invocation.WriteResult(document, terminal => terminal.Out.WriteLine($"{folder}: {name} with random weights, seed {document.Seed}, window {document.Window}"));
            return Task.FromResult(0);
        }
    }

    private static void Write(string folder, Action create)
    {
        try
        {
            create();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"'{folder}' cannot be written: {e.Message}", "Choose a new folder with enough space.", e);
        }
    }
}
