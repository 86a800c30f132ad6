using System.CommandLine;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;
using Granary.Client;
using Granary.Client.Datasets;
using Granary.Datasets;
using Granary.Errors;

namespace Granary.Cli.Datasets;

/// <summary><c>granary dataset precompute</c>.</summary>
internal static class PrecomputeVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var flags = new DatasetSourceFlags();
        return flags.Verb(verbs, "precompute", "Computes and stores the KV cache of every context of a data set.", RunAsync);

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            await using var opened = await flags.OpenAsync(invocation, cancellationToken);
            var status = await RunToEndAsync(
                invocation.Terminal,
                opened.Dataset,
                opened.Source,
                opened.Model.Id,
                opened.Model.Folder,
                step =>
                {
                    if (opened.TellsSteps && !step.Ended)
                    {
                        invocation.WriteJson(DatasetProgressEvent.Of(step));
                    }
                },
                cancellationToken);
            invocation.WriteResult(DatasetDocument.Of(status), terminal => StatusVerb.Show(terminal, status));
            invocation.NoteUnless(status.Exact);
            return status.Failed == 0 ? 0 : FailedItems.Report(
                invocation, $"{status.Failed} of {status.Items} items failed", status.Failures, "Put them right and run the same command again; what is stored stays.");
        }
    }

    /// <summary>Precomputes with a progress bar over contexts.</summary>
    /// <param name="terminal">Where the bar is.</param>
    /// <param name="dataset">The data set.</param>
    /// <param name="source">Its items.</param>
    /// <param name="model">The model id.</param>
    /// <param name="modelFolder">The checkpoint folder, if known.</param>
    /// <param name="step">Gets each status.</param>
    /// <param name="cancellationToken">Leaves the run.</param>
    /// <returns>The last status.</returns>
    public static Task<DatasetStatus> RunToEndAsync(
        ITerminal terminal,
        IGranaryDataset dataset,
        DatasetSource source,
        string model,
        string? modelFolder,
        Action<DatasetStatus> step,
        CancellationToken cancellationToken) =>
        ProgressReport.FollowAsync(
            terminal,
            "contexts",
            dataset.PrecomputeAsync(source, model, modelFolder, cancellationToken),
            status =>
            {
                step(status);
                return (status.Done + status.Failed + status.Skipped, status.Items, status);
            },
            () => new GranaryException(ErrorCodes.Unavailable, $"Precomputing '{dataset.Id}' ended without a status.", "Run it again: it goes on where it stopped."));
}
