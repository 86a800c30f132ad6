using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Contexts;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context ask</c>.</summary>
internal static class AskVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = ContextVerbs.Name();
        var model = new ModelFlags();
        var generation = new GenerationFlags();
        var input = new InputFlags(
            "prompt",
            new Argument<string?>("PROMPT") { Description = "The prompt's text.", Arity = ArgumentArity.ZeroOrOne },
            new Option<string?>("--tokens") { Description = "Its token ids: 1,2,3 or @ids.json.", HelpName = "IDS" });
        var plan = new Option<string>("--plan") { Description = "auto, load or recompute a stored prefix; it cannot change the answer.", DefaultValueFactory = _ => "auto" };
        plan.AcceptOnlyFromAmong("auto", "load", "recompute");
        var explain = new Option<bool>("--explain") { Description = "Say where the context's tokens came from, and why." };
        var ifVersion = new Option<long?>("--if-version") { Description = "The only version that may answer." };
        var keep = new Option<bool>("--keep") { Description = "Make prompt and answer, its last token included, the context's next version." };
        var stream = new Option<bool>("--stream") { Description = "Print tokens as they come." };
        var command = verbs.Verb("ask", "Answers a prompt put after a context.", RunAsync, [name, .. input.Symbols, plan, explain, keep, ifVersion, stream]);
        model.AddTo(command);
        generation.AddTo(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var arguments = invocation.Arguments;
            var request = new AskRequest
            {
                Prompt = input.Read(arguments),
                Options = generation.Read(arguments),
                Plan = Enum.Parse<PlanChoice>(arguments.GetRequiredValue(plan), ignoreCase: true),
                IfVersion = arguments.GetValue(ifVersion),
                Keep = arguments.GetValue(keep),
            };
            await using var named = await NamedContext.OpenAsync(invocation, name, model, cancellationToken);
            return await AnswerPrinter.PrintAsync(invocation, named.Context.AskAsync(request, cancellationToken), arguments.GetValue(stream), arguments.GetValue(explain));
        }
    }
}
