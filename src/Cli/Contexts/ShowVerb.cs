using System.CommandLine;
using System.Globalization;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context show</c>.</summary>
internal static class ShowVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = ContextVerbs.Name();
        var model = new ModelFlags();
        var command = verbs.Verb("show", "Describes a context.", RunAsync, name);
        model.AddTo(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            await using var named = await NamedContext.OpenAsync(invocation, name, model, cancellationToken);
            var document = ContextDocument.Of(await named.Context.GetAsync(cancellationToken));
            invocation.WriteResult(document, terminal => Show(terminal, document));
            return 0;
        }
    }

    private static void Show(ITerminal terminal, ContextDocument context)
    {
        terminal.Out.WriteLine($"context   {context.Context}");
        terminal.Out.WriteLine($"model     {context.Model}");
        terminal.Out.WriteLine($"state     {context.State}, version {context.Version}{(context.Resident ? ", resident" : "")}");
        terminal.Out.WriteLine($"tokens    {context.Tokens} in {context.Pages} pages");
        terminal.Out.WriteLine($"stored    {ByteSizes.Show(context.StoredBytes)}");
        terminal.Out.WriteLine($"created   {context.Created:u}");
        terminal.Out.WriteLine($"expires   {(context.Expires is { } expires ? $"{expires:u}" : "never")}{(context.RefreshSeconds is { } life ? $", or {TimeSpan.FromSeconds(life)} after its last use" : "")}");
        if (context.PinnedUntil is { } pinned)
        {
            terminal.Out.WriteLine($"pinned    {UpdatedContext.Until(pinned)}");
        }

        if (context.Labels.Count > 0)
        {
            terminal.Out.WriteLine($"labels    {string.Join(", ", context.Labels.Select(label => $"{label.Key}={label.Value}"))}");
        }

        if (context.VersionAgeSeconds is { } age)
        {
            terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"as of     {age:0.0} s ago: the store does not answer"));
        }

        if (context.Parent is { } parent)
        {
            terminal.Out.WriteLine($"parent    {parent}");
        }
    }
}
