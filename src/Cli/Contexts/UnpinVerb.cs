using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Contexts;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context unpin</c>.</summary>
internal static class UnpinVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = ContextVerbs.Name();
        var model = new ModelFlags();
        var command = verbs.Verb("unpin", "Ends a context's pin.", RunAsync, name);
        model.AddTo(command);
        return command;

        Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken) =>
            UpdatedContext.RunAsync(invocation, name, model, new UpdateContextRequest { Unpin = true }, static _ => "unpinned", cancellationToken);
    }
}
