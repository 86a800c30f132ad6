using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;
using Granary.Contexts;
using Granary.Errors;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context warm</c>.</summary>
internal static class WarmVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = ContextVerbs.Name();
        var model = new ModelFlags();
        var plan = new Option<string>("--plan") { Description = "auto or load: whether a stored page is read where that is quicker, or always.", DefaultValueFactory = _ => "auto" };
        plan.AcceptOnlyFromAmong("auto", "load");
        var stream = new Option<bool>("--stream") { Description = "With --json, progress events before the result." };
        var command = verbs.Verb("warm", "Brings a context's KV cache into device memory.", RunAsync, [name, plan, stream]);
        model.AddTo(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var request = new WarmRequest { Plan = Enum.Parse<PlanChoice>(invocation.Arguments.GetRequiredValue(plan), ignoreCase: true) };
            await using var named = await NamedContext.OpenAsync(invocation, name, model, cancellationToken);
            var warmed = await ProgressReport.FollowAsync(
                invocation.Terminal,
                $"context {named.Context.Id.Name}",
                named.Context.WarmAsync(request, cancellationToken),
                progress =>
                {
                    if (invocation.Json && invocation.Arguments.GetValue(stream))
                    {
                        invocation.WriteJson(TokensProgressEvent.Of(progress.DoneTokens, progress.TotalTokens));
                    }

                    return (progress.DoneTokens, progress.TotalTokens, progress.Result);
                },
                () => new GranaryException(ErrorCodes.Unavailable, $"The progress of '{named.Context.Id}' ended without a result.", "Run it again."));
            invocation.WriteResult(WarmedDocument.Of(warmed), terminal => terminal.Out.WriteLine(
                $"{warmed.Context.Context} ({warmed.Context.Model}) is resident: {warmed.ResidentTokens} tokens were in memory, {warmed.RestoredTokens} read from the store, {warmed.RecomputedTokens} computed; {warmed.Seconds:0.###} s"));
            invocation.NoteUnless(warmed.Exact);
            return 0;
        }
    }
}
