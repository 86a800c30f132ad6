using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Errors;
using Granary.Cli.Terminals;
using Granary.Errors;
using Granary.Inference.Checkpoints;

namespace Granary.Cli.Models;

/// <summary><c>granary model verify</c>: reads all weights, whatever the cache of fingerprints says, and compares with what the store knows.</summary>
internal static class ModelVerifyVerb
{
    private const int ProgressUnit = 1 << 20; // megabytes, so that an int counts them

    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var model = new ModelFlags();
        var command = verbs.Verb("verify", "Reads all of a checkpoint's weights and compares them with what was computed with them.", RunAsync);
        model.AddAsArgument(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var reference = model.Read(invocation.Arguments, invocation.Settings);
            var folder = reference.RequiredFolder;
            var (fingerprint, cached) = await ComputeAsync(invocation, folder, cancellationToken);
            await using var session = await invocation.OpenAsync(null, cancellationToken);
            var known = await session.Client.ListModelsAsync(invocation.Settings.Tenant, cancellationToken);
            var stored = known.FirstOrDefault(description => description.Model == reference.Id)?.Fingerprint;
            var document = new ModelVerifyDocument(
                reference.Id, folder, fingerprint, cached, stored, Verified: (cached ?? fingerprint) == fingerprint && (stored ?? fingerprint) == fingerprint);
            invocation.WriteResult(document, terminal => Show(terminal, document));
            return document.Verified ? 0 : Report(invocation, document);
        }
    }

    private static Task<(string Fingerprint, string? Cached)> ComputeAsync(Invocation invocation, string folder, CancellationToken cancellationToken) =>
        ProgressReport.RunAsync(invocation.Terminal, "megabytes", report => Task.Run(
            () =>
            {
                using var checkpoint = Checkpoint.Open(folder);
                var total = (int)(checkpoint.WeightBytes / ProgressUnit);
                return Fingerprints.Verify(checkpoint, FingerprintCache.Default(), new Reporting(bytes => report((int)(bytes / ProgressUnit), total)), cancellationToken);
            },
            cancellationToken));

    private static void Show(ITerminal terminal, ModelVerifyDocument document)
    {
        terminal.Out.WriteLine($"model        {document.Model}");
        terminal.Out.WriteLine($"folder       {document.Folder}");
        terminal.Out.WriteLine($"fingerprint  {document.Fingerprint}");
        terminal.Out.WriteLine($"cache        {Compared(document.Cached, document.Fingerprint)}");
        terminal.Out.WriteLine($"store        {Compared(document.Stored, document.Fingerprint)}");
    }

    private static string Compared(string? known, string fingerprint) => known is null ? "does not know it" : known == fingerprint ? "the same" : known;

    private static int Report(Invocation invocation, ModelVerifyDocument document)
    {
        var (code, message, remedy) = document.Stored is { } stored && stored != document.Fingerprint
            ? (ErrorCodes.ModelSpecConflict,
                $"The store knows '{document.Model}' with other weights or another configuration than '{document.Folder}' has now.",
                "Restore the checkpoint's files, or serve the new ones under a new id (--model-id).")
            : (ErrorCodes.CheckpointInvalid,
                $"The weights in '{document.Folder}' were replaced without a trace since their fingerprint was computed: size, times and inode are as before. The cache has been put right.",
                "Restart every silo that serves it: what it holds in memory and stores is of the old weights.");
        ErrorEdge.Write(new ErrorFields(code, message, remedy), invocation.Terminal, invocation.Json);
        return ErrorCodes.ExitCodeOf(code);
    }

    // Progress<T> would post to another thread, and lines could come after the result.
    private sealed class Reporting(Action<long> report) : IProgress<long>
    {
        private readonly Lock _gate = new();

        public void Report(long value)
        {
            lock (_gate)
            {
                report(value);
            }
        }
    }
}
