using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context list</c>.</summary>
internal static class ListVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var model = new ModelFlags();
        var command = verbs.Verb("list", "Lists stored contexts.", RunAsync);
        model.AddTo(command, required: false);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var only = model.Find(invocation.Arguments, invocation.Settings);
            await using var session = await invocation.OpenAsync(null, cancellationToken); // reads manifests only: no weights
            var contexts = new List<ContextDocument>();
            await foreach (var context in session.Client.ListContextsAsync(only?.Id, invocation.Settings.Tenant, cancellationToken))
            {
                contexts.Add(ContextDocument.Of(context));
            }

            invocation.WriteResult(contexts, terminal => Show(terminal, contexts));
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
