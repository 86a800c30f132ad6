using System.CommandLine;
using System.Globalization;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;
using Granary.Datasets;
using Granary.Naming;

namespace Granary.Cli.Datasets;

/// <summary><c>granary dataset status</c>.</summary>
internal static class StatusVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = DatasetVerbs.Name();
        return verbs.Verb("status", "Shows a data set's last run.", RunAsync, name);

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var dataset = Names.Check("data set", invocation.Arguments.GetRequiredValue(name));
            await using var session = await invocation.OpenAsync(null, cancellationToken);
            var status = await session.Client.Dataset(dataset, invocation.Settings.Tenant).GetStatusAsync(cancellationToken);
            invocation.WriteResult(DatasetDocument.Of(status), terminal => Show(terminal, status));
            invocation.NoteUnless(status.Exact);
            return 0;
        }
    }

    /// <summary>Shows a run to people.</summary>
    /// <param name="terminal">Where.</param>
    /// <param name="status">The run.</param>
    public static void Show(ITerminal terminal, DatasetStatus status)
    {
        terminal.Out.WriteLine($"{status.Dataset} ({status.Model}): {status.Items} items, {status.Done} computed, {status.Skipped} found stored, {status.Failed} failed{(status.Ended ? "" : ", running")}");
        terminal.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{status.PrefilledTokens} tokens computed in {status.Seconds:0.0} s; {ByteSizes.Show(status.StoredBytes)} stored"));
    }
}
