using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context evict</c>.</summary>
internal static class EvictVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = ContextVerbs.Name();
        var model = new ModelFlags();
        var command = verbs.Verb("evict", "Frees a context's device memory; nothing stored is touched.", RunAsync, name);
        model.AddTo(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            await using var named = await NamedContext.OpenAsync(invocation, name, model, cancellationToken);
            var evicted = await named.Context.EvictAsync(cancellationToken);
            var id = named.Context.Id;
            invocation.WriteResult(
                new EvictedDocument(id.Name, id.Model, evicted),
                terminal => terminal.Out.WriteLine($"{id.Name} ({id.Model}) {(evicted ? "evicted" : "was not resident")}"));
            return 0;
        }
    }
}
