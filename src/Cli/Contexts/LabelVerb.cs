using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Contexts;
using Granary.Errors;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context label</c>.</summary>
internal static class LabelVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = ContextVerbs.Name();
        var model = new ModelFlags();
        var labels = new Argument<string[]>("LABEL") { Description = "Labels that are set or replaced: key=value.", Arity = ArgumentArity.ZeroOrMore };
        var remove = new Option<string[]>("--remove") { Description = "The key of a label that is removed; may be repeated.", HelpName = "KEY" };
        var command = verbs.Verb("label", "Sets and removes a context's labels.", RunAsync, [name, labels, remove]);
        model.AddTo(command);
        return command;

        Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var request = new UpdateContextRequest
            {
                SetLabels = LabelList.Parse(invocation.Arguments.GetValue(labels) ?? []),
                RemoveLabels = invocation.Arguments.GetValue(remove) ?? [],
            };
            if (request is { SetLabels.Count: 0, RemoveLabels.Length: 0 })
            {
                throw new GranaryException(ErrorCodes.InvalidArgument, "No label is given.", "Give key=value, or --remove KEY.");
            }

            return UpdatedContext.RunAsync(
                invocation, name, model, request, static context => context.Labels.Count == 0 ? "has no labels" : string.Join(", ", context.Labels.Select(label => $"{label.Key}={label.Value}")), cancellationToken);
        }
    }
}
