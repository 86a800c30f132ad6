using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context delete</c>.</summary>
internal static class DeleteVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = ContextVerbs.Name();
        var model = new ModelFlags();
        var command = verbs.Verb("delete", "Deletes a context.", RunAsync, name);
        model.AddTo(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            await using var named = await NamedContext.OpenAsync(invocation, name, model, cancellationToken);
            await named.Context.DeleteAsync(cancellationToken);
            var id = named.Context.Id;
            invocation.WriteResult(new DeletedDocument(id.Name, id.Model, true), terminal => terminal.Out.WriteLine($"{id.Name} ({id.Model}) deleted"));
            return 0;
        }
    }
}
