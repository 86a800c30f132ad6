using System.Globalization;
using Granary.Cli.Documents;
using Granary.Contexts;
using Granary.Errors;

namespace Granary.Cli.Contexts;

/// <summary>Prints an answer as it streams in.</summary>
internal static class AnswerPrinter
{
    /// <summary>Prints the tokens, where asked for, and the answer.</summary>
    /// <param name="invocation">The verb's run.</param>
    /// <param name="parts">The stream.</param>
    /// <param name="stream">Whether tokens are printed as they come.</param>
    /// <param name="explain">Whether people are told where the context's tokens came from.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> PrintAsync(Invocation invocation, IAsyncEnumerable<AnswerPart> parts, bool stream, bool explain)
    {
        var output = invocation.Terminal.Out;
        Answer? answer = null;
        await foreach (var part in parts)
        {
            answer = part.Answer ?? answer;
            if (stream && part.Token is { } token)
            {
                if (invocation.Json)
                {
                    invocation.WriteJson(TokenEvent.Of(token));
                }
                else
                {
                    await output.WriteAsync(token.Text ?? $"{(token.Index == 0 ? "" : ",")}{token.Id}");
                }
            }
        }

        var whole = answer ?? throw new GranaryException(ErrorCodes.Unavailable, "The stream of tokens ended without an answer.", "Ask again.");
        invocation.WriteResult(AnswerDocument.Of(whole), terminal =>
        {
            terminal.Out.WriteLine(stream ? "" : whole.Text ?? string.Join(',', whole.TokenIds));
            if (explain)
            {
                terminal.Error.WriteLine(Explain(whole));
            }
        });
        invocation.NoteUnless(whole.Exact);
        return 0;
    }

    private static string Explain(Answer answer) => string.Create(
        CultureInfo.InvariantCulture,
        $"{answer.Usage.ContextTokens} context tokens ({answer.Usage.ResidentTokens} resident, {answer.Usage.RestoredTokens} restored, {answer.Usage.RecomputedTokens} recomputed), {answer.Usage.PromptTokens} prompt tokens, {answer.Usage.DecodedTokens} decoded, first after {answer.FirstTokenSeconds:0.000} s; plan {answer.Plan.Decision}: {answer.Plan.Reason}; ended by {answer.FinishReason}");
}
