using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Errors;
using Granary.Cli.Terminals;
using Granary.Errors;
using Granary.Stores;

namespace Granary.Cli.Stores;

/// <summary><c>granary store check</c>.</summary>
internal static class CheckVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var repair = new Option<bool>("--repair") { Description = "Take bad chunks away, and bad documents of data sets, so that the next use or precompute makes them anew. No context is lost by it." };
        return verbs.Verb("check", "Reads all that is stored of a tenant and tells what cannot be trusted.", RunAsync, repair);

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            await using var session = await invocation.OpenAsync(null, cancellationToken);
            var stream = session.Client.Store(invocation.Settings.Tenant).CheckAsync(invocation.Arguments.GetValue(repair), cancellationToken);
            var found = await ProgressReport.FollowAsync(
                invocation.Terminal,
                "objects",
                stream,
                static status => (status.Done, status.Total, status.Result),
                static () => new GranaryException(ErrorCodes.Unavailable, "The check ended without a result.", "Run it again."));
            invocation.WriteResult(StoreCheckDocument.Of(found), terminal => Show(terminal, found));
            var left = found.FaultCount - found.RepairedCount;
            return left == 0 ? 0 : Report(invocation, left);
        }
    }

    private static int Report(Invocation invocation, int left)
    {
        ErrorEdge.Write(
            new ErrorFields(
                ErrorCodes.ManifestInvalid,
                $"{left} objects of the store cannot be trusted.",
                "Bad chunks are computed anew when they are used, or taken away by --repair, which takes bad documents of data sets, too: precompute those again. Restore other objects from a backup, or delete the context and create it again."),
            invocation.Terminal,
            invocation.Json);
        return ErrorCodes.ExitCodeOf(ErrorCodes.ManifestInvalid);
    }

    private static void Show(ITerminal terminal, StoreCheckResult found)
    {
        terminal.Out.WriteLine($"{found.Contexts} contexts, {found.Chunks} chunks of {ByteSizes.Show(found.ChunkBytes)}: {(found.FaultCount == 0 ? "all can be trusted" : $"{found.FaultCount} objects cannot be trusted, {found.RepairedCount} were taken away")}.");
        if (found.Faults.Length > 0)
        {
            ResultTable.Write(terminal, ["kind", "reason", "context", "taken away", "key"], found.Faults.Select(fault => new[]
            {
                fault.Kind, fault.Reason, fault.Context ?? "", fault.Repaired ? "yes" : "no", fault.Key,
            }));
        }
    }
}
