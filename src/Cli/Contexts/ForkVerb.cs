using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Contexts;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context fork</c>.</summary>
internal static class ForkVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = ContextVerbs.Name();
        var fork = new Argument<string>("NEW") { Description = "The new context's name." };
        var model = new ModelFlags();
        var ifVersion = new Option<long?>("--if-version") { Description = "The only version that may be forked." };
        var life = new LifeFlags();
        var stream = new Option<bool>("--stream") { Description = "With --json, progress events before the result." };
        var command = verbs.Verb("fork", "Makes a new context of a context's tokens, on the same chunks.", RunAsync, [name, fork, ifVersion, .. life.Symbols, stream]);
        model.AddTo(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var arguments = invocation.Arguments;
            var (timeToLive, refreshOnHit, labels) = life.Read(arguments);
            var request = new ForkRequest
            {
                Parent = Naming.Names.Check("context", arguments.GetRequiredValue(name)),
                IfVersion = arguments.GetValue(ifVersion),
                TimeToLive = timeToLive,
                RefreshOnHit = refreshOnHit,
                Labels = labels,
            };
            await using var named = await NamedContext.OpenAsync(invocation, fork, model, cancellationToken);
            var forked = await StoringProgress.RunAsync(invocation, named.Context.Id, named.Context.ForkAsync(request, cancellationToken), arguments.GetValue(stream));
            invocation.WriteResult(CreatedDocument.Of(forked), terminal => terminal.Out.WriteLine(Summary(request.Parent, forked)));
            invocation.NoteUnless(forked.Exact);
            return 0;
        }
    }

    private static string Summary(string parent, ContextCreated forked)
    {
        var context = forked.Context;
        var work = forked.Existed ? "existed already" : $"forked from {parent}: {forked.PrefilledTokens} tokens computed";
        return $"{context.Context} ({context.Model}) {work}; {context.Tokens} tokens, {context.Pages} pages, {ByteSizes.Show(context.StoredBytes)}";
    }
}
