using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;
using Granary.Contexts;
using Granary.Errors;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context list</c>.</summary>
internal static class ListVerb
{
    // As many as a call may look through.
    private const int ContextsPerPage = 500;

    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var model = new ModelFlags();
        var label = new Option<string[]>("--label") { Description = "Only contexts with that label, key=value or key; may be repeated: all must hold.", HelpName = "LABEL" };
        var limit = new Option<int?>("--limit") { Description = "The most contexts that are listed. Where there are more, standard error says what --after must be." };
        var after = new Option<string?>("--after") { Description = "Go on behind what a listing with --limit ended with.", HelpName = "CONTINUATION" };
        var command = verbs.Verb("list", "Lists stored contexts.", RunAsync, [label, limit, after]);
        model.AddTo(command, required: false);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var arguments = invocation.Arguments;
            var most = arguments.GetValue(limit) switch
            {
                < 1 => throw new GranaryException(ErrorCodes.InvalidArgument, $"--limit is {arguments.GetValue(limit)}.", "Give a number above 0."),
                { } given => given,
                null => int.MaxValue,
            };
            var only = model.Find(arguments, invocation.Settings);
            var request = new ContextListRequest { Model = only?.Id, Labels = arguments.GetValue(label) ?? [], After = arguments.GetValue(after) };
            await using var session = await invocation.OpenAsync(null, cancellationToken); // reads manifests only: no weights
            var contexts = new List<ContextDocument>();
            do
            {
                var page = await session.Client.ListContextsPageAsync(
                    request with { Limit = Math.Min(ContextsPerPage, most - contexts.Count) }, invocation.Settings.Tenant, cancellationToken);
                contexts.AddRange(page.Items.Select(ContextDocument.Of));
                request = request with { After = page.Continuation };
            }
            while (request.After is not null && contexts.Count < most);

            invocation.WriteResult(contexts, terminal => Show(terminal, contexts));
            if (request.After is { } next)
            {
                invocation.Terminal.Error.WriteLine(invocation.Json ? JsonDocuments.Write(new ContinuationDocument(next)) : $"There may be more: --after {next}");
            }

            return 0;
        }
    }

    private static void Show(ITerminal terminal, List<ContextDocument> contexts)
    {
        if (contexts.Count == 0)
        {
            terminal.Out.WriteLine("No contexts.");
            return;
        }

        ResultTable.Write(terminal, ["context", "model", "state", ">version", ">tokens", ">pages", ">stored", "resident", "expires"], contexts.Select(context => new[]
        {
            context.Context,
            context.Model,
            context.State,
            $"{context.Version}",
            $"{context.Tokens}",
            $"{context.Pages}",
            ByteSizes.Show(context.StoredBytes),
            context.Resident ? "yes" : "no",
            context.Expires is { } expires ? $"{expires:u}" : "never",
        }));
    }
}
