using System.CommandLine;
using Granary.Contexts;
using Granary.Errors;

namespace Granary.Cli.Arguments;

/// <summary>An input that is given as text or as token ids, and once.</summary>
/// <param name="what">What it is, for messages.</param>
/// <param name="text">The text, as an option or an argument.</param>
/// <param name="tokens">The ids.</param>
/// <param name="file">A file with the text.</param>
internal sealed class InputFlags(string what, Symbol text, Option<string?> tokens, Option<string?>? file = null)
{
    /// <summary>Gets the options and arguments.</summary>
    public Symbol[] Symbols => file is null ? [text, tokens] : [text, file, tokens];

    /// <summary>Reads the input.</summary>
    /// <param name="arguments">The parsed command line.</param>
    /// <returns>The input.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.InvalidArgument"/>: give one form of it. <see cref="ErrorCodes.EmptyInput"/>: give at least one character or id.
    /// </exception>
    public TokenInput Read(ParseResult arguments)
    {
        var givenText = text is Option<string?> option ? arguments.GetValue(option) : arguments.GetValue((Argument<string?>)text);
        var givenFile = file is null ? null : arguments.GetValue(file);
        var givenTokens = arguments.GetValue(tokens);
        if (new[] { givenText, givenFile, givenTokens }.Count(given => given is not null) != 1)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"The {what} is to be given once.", $"Give one of {string.Join(", ", Symbols.Select(NameOf))}.");
        }

        if (givenTokens is not null)
        {
            return TokenInput.OfTokens(TokenIdList.Parse(tokens.Name, givenTokens));
        }

        var content = givenFile is not null ? InputFiles.ReadText(givenFile) : givenText ?? "";
        return content.Length > 0
            ? TokenInput.OfText(content)
            : throw new GranaryException(ErrorCodes.EmptyInput, $"The {what} is empty.", "Give at least one character.");
    }

    private static string NameOf(Symbol symbol) => symbol is Argument ? symbol.Name.ToUpperInvariant() : symbol.Name;
}
