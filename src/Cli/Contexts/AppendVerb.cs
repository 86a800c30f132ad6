using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Contexts;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context append</c>.</summary>
internal static class AppendVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = ContextVerbs.Name();
        var model = new ModelFlags();
        var input = new InputFlags(
            "addition",
            new Option<string?>("--text") { Description = "The text that is put behind the context." },
            new Option<string?>("--tokens") { Description = "Its token ids: 1,2,3 or @ids.json.", HelpName = "IDS" },
            new Option<string?>("--file") { Description = "A UTF-8 file with its text." });
        var ifVersion = new Option<long?>("--if-version") { Description = "The only version that may grow." };
        var stream = new Option<bool>("--stream") { Description = "With --json, progress events before the result." };
        var command = verbs.Verb("append", "Puts tokens behind a context: its next version.", RunAsync, [name, .. input.Symbols, ifVersion, stream]);
        model.AddTo(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var arguments = invocation.Arguments;
            var request = new AppendRequest { Input = input.Read(arguments), IfVersion = arguments.GetValue(ifVersion) };
            await using var named = await NamedContext.OpenAsync(invocation, name, model, cancellationToken);
            var grown = await StoringProgress.RunAsync(invocation, named.Context.Id, named.Context.AppendAsync(request, cancellationToken), arguments.GetValue(stream));
            invocation.WriteResult(CreatedDocument.Of(grown), terminal => terminal.Out.WriteLine(Summary(grown)));
            invocation.NoteUnless(grown.Exact);
            return 0;
        }
    }

    private static string Summary(ContextCreated grown)
    {
        var context = grown.Context;
        return $"{context.Context} ({context.Model}) is at version {context.Version}: {grown.PrefilledTokens} tokens computed, {grown.RestoredTokens} found in the store; {context.Tokens} tokens, {context.Pages} pages, {ByteSizes.Show(context.StoredBytes)}";
    }
}
