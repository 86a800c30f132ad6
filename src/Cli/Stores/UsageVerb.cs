using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;
using Granary.Stores;

namespace Granary.Cli.Stores;

/// <summary><c>granary store usage</c>.</summary>
internal static class UsageVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        return verbs.Verb("usage", "Tells what a tenant's contexts and chunks take, and how much no context names.", RunAsync);

        static async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            // A sweep that changes nothing, and to which everything is old enough.
            var found = await Sweeping.RunAsync(invocation, new StoreSweepRequest(DryRun: true, Grace: TimeSpan.Zero), cancellationToken);
            invocation.WriteResult(StoreUsageDocument.Of(found), terminal => Show(terminal, found));
            return 0;
        }
    }

    private static void Show(ITerminal terminal, StoreSweepResult found)
    {
        terminal.Out.WriteLine($"contexts      {found.Contexts}{(found.Expired > 0 ? $", and {found.Expired} that have expired" : "")}{(found.Unreadable.Length > 0 ? $", and {found.Unreadable.Length} that cannot be trusted (granary store check)" : "")}");
        terminal.Out.WriteLine($"chunks        {found.Chunks}, {ByteSizes.Show(found.ChunkBytes)}");
        terminal.Out.WriteLine($"unreferenced  {found.UnreferencedChunks}, {ByteSizes.Show(found.UnreferencedBytes)}: granary store gc deletes those that are old enough");
        if (found.TokenBlobs > 0)
        {
            terminal.Out.WriteLine($"token blobs   {found.TokenBlobs}, {ByteSizes.Show(found.TokenBlobBytes)}; {found.UnreferencedTokenBlobs} of them, {ByteSizes.Show(found.UnreferencedTokenBlobBytes)}, no context names");
        }

        terminal.Out.WriteLine($"tombstones    {found.Tombstones}");
    }
}
