using System.CommandLine;
using System.Globalization;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;
using Granary.Contexts;
using Granary.Errors;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context score</c>.</summary>
internal static class ScoreVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = ContextVerbs.Name();
        var model = new ModelFlags();
        var texts = new Argument<string[]>("TEXT") { Description = "The continuation's text; may be repeated.", Arity = ArgumentArity.ZeroOrMore };
        var tokens = new Option<string[]>("--tokens") { Description = "Its token ids: 1,2,3 or @ids.json; may be repeated.", HelpName = "IDS", Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = false };
        var command = verbs.Verb("score", "Gives the log-probabilities of continuations, each after the context alone.", RunAsync, [name, texts, tokens]);
        model.AddTo(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var request = ScoreRequest.Of(Read(invocation.Arguments.GetValue(texts) ?? [], invocation.Arguments.GetValue(tokens) ?? []));
            await using var named = await NamedContext.OpenAsync(invocation, name, model, cancellationToken);
            var scores = await named.Context.ScoreAsync(request, cancellationToken);
            foreach (var score in scores)
            {
                invocation.WriteResult(new ScoreDocument(score.TokenIds, score.LogProbabilities, score.Sum, score.Numerics, score.Exact, score.VersionAgeSeconds), terminal => Print(score, terminal));
            }

            invocation.NoteUnless(scores.All(static score => score.Exact));
            return 0;
        }
    }

    private static TokenInput[] Read(string[] texts, string[] tokens)
    {
        if ((texts.Length > 0) == (tokens.Length > 0))
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, "The continuation is to be given as text or as token ids.", "Give one of TEXT, --tokens.");
        }

        if (texts.Any(string.IsNullOrEmpty))
        {
            throw new GranaryException(ErrorCodes.EmptyInput, "The continuation is empty.", "Give at least one character.");
        }

        return tokens.Length > 0
            ? [.. tokens.Select(static ids => TokenInput.OfTokens(TokenIdList.Parse("--tokens", ids)))]
            : [.. texts.Select(TokenInput.OfText)];
    }

    private static void Print(ScoreResult score, ITerminal terminal)
    {
        foreach (var (id, logProbability) in score.TokenIds.Zip(score.LogProbabilities))
        {
            terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{id,8}  {logProbability:R}"));
        }

        terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"     sum  {score.Sum:R}"));
    }
}
