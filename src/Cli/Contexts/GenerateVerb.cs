using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Contexts;

namespace Granary.Cli.Contexts;

/// <summary><c>granary generate</c>.</summary>
internal static class GenerateVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var model = new ModelFlags();
        var generation = new GenerationFlags();
        var context = new InputFlags(
            "context",
            new Option<string?>("--context") { Description = "The context's text." },
            new Option<string?>("--context-tokens") { Description = "Its token ids: 1,2,3 or @ids.json.", HelpName = "IDS" });
        var prompt = new InputFlags(
            "prompt",
            new Option<string?>("--prompt") { Description = "The prompt's text." },
            new Option<string?>("--prompt-tokens") { Description = "Its token ids: 1,2,3 or @ids.json.", HelpName = "IDS" });
        var noCache = new Option<bool>("--no-cache") { Description = "Compute everything; leave stored and resident pages alone." };
        var explain = new Option<bool>("--explain") { Description = "Say where the context's tokens came from, and why." };
        var stream = new Option<bool>("--stream") { Description = "Print tokens as they come." };
        var command = verbs.Verb("generate", "Answers a prompt over a context that is not stored.", RunAsync, [.. context.Symbols, .. prompt.Symbols, noCache, explain, stream]);
        model.AddTo(command);
        generation.AddTo(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var arguments = invocation.Arguments;
            var request = new GenerateRequest
            {
                Context = context.Read(arguments),
                Prompt = prompt.Read(arguments),
                Options = generation.Read(arguments),
                NoCache = arguments.GetValue(noCache),
            };
            var reference = model.Read(arguments, invocation.Settings);
            await using var session = await invocation.OpenAsync(reference, cancellationToken);
            var parts = session.Client.GenerateAsync(reference.Id, request, invocation.Settings.Tenant, cancellationToken);
            return await AnswerPrinter.PrintAsync(invocation, parts, arguments.GetValue(stream), arguments.GetValue(explain));
        }
    }
}
