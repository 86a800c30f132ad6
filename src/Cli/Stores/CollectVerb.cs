using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;
using Granary.Errors;
using Granary.Stores;

namespace Granary.Cli.Stores;

/// <summary><c>granary store gc</c>.</summary>
internal static class CollectVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var dryRun = new Option<bool>("--dry-run") { Description = "Change nothing; tell what would go." };
        var grace = new Option<string>("--grace")
        {
            Description = "How old a chunk or token blob that no context names, or a tombstone, must be: longer than any creation takes.",
            DefaultValueFactory = _ => "1d",
            HelpName = "DURATION",
        };
        var rate = new Option<int>("--deletes-per-second") { Description = "Deletes a second, at most.", DefaultValueFactory = _ => 100, HelpName = "N" };
        return verbs.Verb("gc", "Expires contexts whose time is over, and deletes chunks and token blobs that no context names.", RunAsync, dryRun, grace, rate);

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var arguments = invocation.Arguments;
            var request = new StoreSweepRequest(arguments.GetValue(dryRun), Durations.Parse("--grace", arguments.GetRequiredValue(grace)), arguments.GetValue(rate));
            if (request.MostDeletesPerSecond < 1)
            {
                throw new GranaryException(ErrorCodes.InvalidArgument, $"--deletes-per-second is {request.MostDeletesPerSecond}.", "Give a number above 0.");
            }

            var found = await Sweeping.RunAsync(invocation, request, cancellationToken);
            invocation.WriteResult(StoreSweepDocument.Of(found, request.DryRun), terminal => Show(terminal, found, request.DryRun));
            return 0;
        }
    }

    private static void Show(ITerminal terminal, StoreSweepResult found, bool dryRun)
    {
        var would = dryRun ? "would be " : "";
        terminal.Out.WriteLine($"{found.Expired} contexts {would}expired, {found.Tombstones} tombstones and {found.DeletedChunks} chunks of {ByteSizes.Show(found.DeletedBytes)} {would}deleted; {found.Contexts} contexts and {found.Chunks - found.DeletedChunks} chunks stay.");
        if (found.TokenBlobs > 0)
        {
            terminal.Out.WriteLine($"{found.DeletedTokenBlobs} token blobs of {ByteSizes.Show(found.DeletedTokenBlobBytes)} {would}deleted; {found.TokenBlobs - found.DeletedTokenBlobs} stay.");
        }

        if (found.Unreadable.Length > 0)
        {
            terminal.Out.WriteLine($"No chunk or token blob is deleted while manifests cannot be trusted, for it might be theirs: {string.Join(", ", found.Unreadable)}");
        }
    }
}
