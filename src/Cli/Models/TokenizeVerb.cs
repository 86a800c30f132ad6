using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Errors;
using Granary.Inference.Checkpoints;
using Granary.Inference.Tokenizers;

namespace Granary.Cli.Models;

/// <summary><c>granary tokenize</c>.</summary>
internal static class TokenizeVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var model = new ModelFlags();
        var input = new InputFlags(
            "text",
            new Argument<string?>("TEXT") { Description = "The text.", Arity = ArgumentArity.ZeroOrOne },
            new Option<string?>("--decode") { Description = "Token ids to decode: 1,2,3 or @ids.json.", HelpName = "IDS" },
            new Option<string?>("--file") { Description = "A UTF-8 file with the text." });
        var special = new Option<bool>("--special-tokens") { Description = "Special tokens in the text become their ids, instead of being text like any other." };
        var command = verbs.Verb("tokenize", "Text to token ids, and back.", RunAsync);
        model.AddAsArgument(command);
        foreach (var symbol in input.Symbols)
        {
            if (symbol is Argument argument)
            {
                command.Arguments.Add(argument);
            }
            else if (symbol is Option option)
            {
                command.Options.Add(option);
            }
        }

        command.Options.Add(special);
        return command;

        Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var given = input.Read(invocation.Arguments);
            var folder = model.Read(invocation.Arguments, invocation.Settings).RequiredFolder;
            var tokenizer = TextTokenizer.Load(folder)
                ?? throw new GranaryException(ErrorCodes.TokenizerMissing, $"'{folder}' has no tokenizer.json.", "Put one there, or work with token ids.");
            if (given.TokenIds is { } ids)
            {
                CheckVocabulary(ids, folder);
                var decoded = tokenizer.Decode(ids);
                invocation.WriteResult(new TextDocument(decoded), terminal => terminal.Out.WriteLine(decoded));
                return Task.FromResult(0);
            }

            var text = given.Text ?? "";
            int[] encoded = invocation.Arguments.GetValue(special) ? tokenizer.EncodeWithSpecialTokens(text) : tokenizer.Encode(text);
            invocation.WriteResult(new TokensDocument(encoded, encoded.Length), terminal => terminal.Out.WriteLine(string.Join(',', encoded)));
            return Task.FromResult(0);
        }
    }

    // The model's vocabulary, not the tokenizer's: a model may answer with an id of its padding, which decodes to nothing.
    private static void CheckVocabulary(int[] ids, string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        var size = checkpoint.Config.VocabularySize;
        if (Array.FindIndex(ids, id => id < 0 || id >= size) is >= 0 and var index)
        {
            throw new GranaryException(ErrorCodes.TokenOutOfVocabulary, $"Token id {ids[index]} (number {index}) lies outside the vocabulary of {size}.", $"Give ids from 0 to {size - 1}.");
        }
    }
}
