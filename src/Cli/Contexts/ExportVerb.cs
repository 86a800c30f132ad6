using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;
using Granary.Naming;
using Granary.Silo;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context export</c>.</summary>
internal static class ExportVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = ContextVerbs.Name();
        var model = new ModelFlags();
        var output = new Option<string>("--out") { Description = "The safetensors file.", HelpName = "F", Required = true };
        var command = verbs.Verb("export", "Writes a stored context as one safetensors file in Hugging Face's layout, straight from the store.", RunAsync, name, output);
        model.AddTo(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var context = Names.Check("context", invocation.Arguments.GetRequiredValue(name));
            var id = model.Read(invocation.Arguments, invocation.Settings).Id;
            var path = invocation.Arguments.GetRequiredValue(output);
            var exported = await OutputFile.ReplaceAsync(path, temporary => ProgressReport.RunAsync(
                invocation.Terminal,
                "tokens",
                report => StoredContexts.ExportAsync(invocation.Settings.Store, invocation.Settings.Tenant ?? Names.DefaultTenant, id, context, temporary, report, cancellationToken)));
            var document = new ExportedDocument(context, id, exported.Version, exported.Numerics, exported.Dtype, exported.Tokens, exported.Bytes, path);
            invocation.WriteResult(document, terminal => terminal.Out.WriteLine($"{context} ({id}): {exported.Tokens} tokens in {exported.Dtype}, {ByteSizes.Show(exported.Bytes)}: {path}"));
            return 0;
        }
    }
}
