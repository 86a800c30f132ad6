using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Errors;
using Granary.Cli.Terminals;
using Granary.Contexts;
using Granary.Errors;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context verify</c>.</summary>
internal static class VerifyVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = ContextVerbs.Name();
        var model = new ModelFlags();
        var stream = new Option<bool>("--stream") { Description = "With --json, progress events before the result." };
        var command = verbs.Verb("verify", "Compares what is stored of a context with a fresh prefill of its tokens, and greedy answers after both. Changes nothing.", RunAsync, [name, stream]);
        model.AddTo(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            await using var named = await NamedContext.OpenAsync(invocation, name, model, cancellationToken);
            var report = await ProgressReport.FollowAsync(
                invocation.Terminal,
                $"context {named.Context.Id.Name}",
                named.Context.VerifyAsync(cancellationToken),
                progress =>
                {
                    if (invocation.Json && invocation.Arguments.GetValue(stream))
                    {
                        invocation.WriteJson(TokensProgressEvent.Of(progress.DoneTokens, progress.TotalTokens));
                    }

                    return (progress.DoneTokens, progress.TotalTokens, progress.Result);
                },
                () => new GranaryException(ErrorCodes.Unavailable, $"The verification of '{named.Context.Id}' ended without a report.", "Run it again."));
            invocation.WriteResult(VerifiedDocument.Of(report), terminal => Show(terminal, report));
            invocation.NoteUnless(report.Exact);
            return report.Equal ? 0 : Report(invocation, report);
        }
    }

    private static int Report(Invocation invocation, ContextVerified report)
    {
        ErrorEdge.Write(
            new ErrorFields(
                ErrorCodes.ManifestInvalid,
                $"{report.Pages - report.EqualPages} of {report.Pages} pages of '{report.Context.Context}' are not stored as a fresh prefill gives them{(report.ProbeEqual == false ? ", and the answers differ" : "")}.",
                "Pages that are absent or fail their checks are computed and stored anew when the context is asked. For one that differs though its checks are right, delete the context and create it again, and report it."),
            invocation.Terminal,
            invocation.Json);
        return ErrorCodes.ExitCodeOf(ErrorCodes.ManifestInvalid);
    }

    private static void Show(ITerminal terminal, ContextVerified report)
    {
        var how = report.Tolerance > 0 ? $" within {report.Tolerance}" : " to the bit";
        var answers = report.ProbeEqual switch { null => "no answers were compared", true => $"{report.ProbeTokens} greedy tokens are the same", false => $"the {report.ProbeTokens} greedy tokens differ" };
        terminal.Out.WriteLine($"{report.Context.Context} ({report.Context.Model}): {report.EqualPages} of {report.Pages} stored pages equal a fresh prefill{how}; {answers}");
        if (report.Faults.Length > 0)
        {
            ResultTable.Write(terminal, [">page", ">tokens from", ">count", "fault", ">values", "first", ">largest difference"], report.Faults.Select(page => new[]
            {
                $"{page.Page}",
                $"{page.Start}",
                $"{page.Count}",
                page.Fault,
                page.Difference is { } difference ? $"{difference.Values}" : "",
                page.Difference is { } first ? $"layer {first.Layer}, {first.Kind}, head {first.Head}, token {first.Position}, channel {first.Channel}" : "",
                page.Difference is { } most ? $"{most.Largest:g3}" : "",
            }));
        }
    }
}
