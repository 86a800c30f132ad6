using System.Text.RegularExpressions;

namespace Granary.Inference.Tokenizers;

/// <summary>A token that text may hold as it is, beside the vocabulary's.</summary>
/// <param name="Id">The token id.</param>
/// <param name="Content">Its text.</param>
/// <param name="Special">Whether it is a control token: text that a user gives may not hold it.</param>
/// <param name="Normalized">Whether it is looked for in normalized text, not in the text as given.</param>
internal sealed record AddedToken(int Id, string Content, bool Special, bool Normalized);

/// <summary>Finds added tokens in text: the leftmost first, of those the longest.</summary>
/// <remarks>Hugging Face tokenizers, <c>added_vocabulary.rs</c>, <c>find_matches</c>: a special token that is taken literally still covers its text, so that no other token is found within.</remarks>
internal sealed class AddedTokens
{
    private readonly Dictionary<string, AddedToken> _tokens;
    private readonly Regex? _pattern;

    public AddedTokens(IEnumerable<AddedToken> tokens)
    {
        _tokens = tokens.ToDictionary(token => token.Content, StringComparer.Ordinal);
        var longestFirst = _tokens.Keys.OrderByDescending(content => content.Length).ThenBy(content => content, StringComparer.Ordinal);
        _pattern = _tokens.Count == 0 ? null : new Regex(string.Join('|', longestFirst.Select(Regex.Escape)), RegexOptions.CultureInvariant);
    }

    /// <summary>Cuts text into added tokens and the text between them, in order; empty parts are left out.</summary>
    public IEnumerable<(AddedToken? Token, string Text)> Split(string text, bool specialTokens)
    {
        var start = 0;
        for (var match = _pattern?.Match(text); match is { Success: true }; match = match.NextMatch())
        {
            var token = _tokens[match.Value];
            if (token.Special && !specialTokens)
            {
                continue;
            }

            if (match.Index > start)
            {
                yield return (null, text[start..match.Index]);
            }

            yield return (token, match.Value);
            start = match.Index + match.Length;
        }

        if (start < text.Length)
        {
            yield return (null, text[start..]);
        }
    }
}
