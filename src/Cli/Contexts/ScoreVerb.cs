using System.CommandLine;
using System.Globalization;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Contexts;

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
        var input = new InputFlags(
            "continuation",
            new Argument<string?>("TEXT") { Description = "The continuation's text.", Arity = ArgumentArity.ZeroOrOne },
            new Option<string?>("--tokens") { Description = "Its token ids: 1,2,3 or @ids.json.", HelpName = "IDS" });
        var command = verbs.Verb("score", "Gives the log-probabilities of a continuation.", RunAsync, [name, .. input.Symbols]);
        model.AddTo(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var request = new ScoreRequest { Continuation = input.Read(invocation.Arguments) };
            await using var named = await NamedContext.OpenAsync(invocation, name, model, cancellationToken);
            var score = await named.Context.ScoreAsync(request, cancellationToken);
            invocation.WriteResult(new ScoreDocument(score.TokenIds, score.LogProbabilities, score.Sum), terminal =>
            {
                foreach (var (id, logProbability) in score.TokenIds.Zip(score.LogProbabilities))
                {
                    terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{id,8}  {logProbability:R}"));
                }

                terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"     sum  {score.Sum:R}"));
            });
            return 0;
        }
    }
}
