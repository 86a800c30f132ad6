using System.Buffers;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace Granary.Inference.Tokenizers;

/// <summary>Cuts text as GPT-2's pattern does: <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>.</summary>
/// <remarks>By hand, since .NET's regular expressions see a character outside of the basic plane as two surrogates, which are no letters: <c>a𝓐</c> would be cut in two.</remarks>
internal sealed class Gpt2PreTokenizer : PreTokenizer
{
    private enum Kind
    {
        Space,
        Letter,
        Number,
        Other,
    }

    /// <inheritdoc/>
    public override IEnumerable<(int Offset, int Length)> PreTokenize(string text)
    {
        for (var offset = 0; offset < text.Length;)
        {
            var length = NextLength(text.AsSpan(offset));
            yield return (offset, length);
            offset += length;
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text) => PreTokenize(text.ToString());

    private static int NextLength(ReadOnlySpan<char> text)
    {
        if (Contraction(text) is > 0 and var contraction)
        {
            return contraction;
        }

        var (kind, units) = KindAt(text, 0);
        var start = 0;
        if (text[0] == ' ' && text.Length > 1 && KindAt(text, 1).Kind != Kind.Space)
        {
            start = 1;
            (kind, units) = KindAt(text, 1);
        }

        var end = start + units;
        while (end < text.Length && KindAt(text, end) is var (next, nextUnits) && next == kind)
        {
            end += nextUnits;
        }

        // \s+(?!\S): the last white space before a word is left to the word, if it is not the only one. White space is one unit each.
        return kind == Kind.Space && end < text.Length && end > 1 ? end - 1 : end;
    }

    private static int Contraction(ReadOnlySpan<char> text)
    {
        if (text.Length < 2 || text[0] != '\'')
        {
            return 0;
        }

        return text[1] switch
        {
            's' or 't' or 'm' or 'd' => 2,
            'r' or 'v' when text.Length > 2 && text[2] == 'e' => 3,
            'l' when text.Length > 2 && text[2] == 'l' => 3,
            _ => 0,
        };
    }

    private static (Kind Kind, int Units) KindAt(ReadOnlySpan<char> text, int index)
    {
        if (Rune.DecodeFromUtf16(text[index..], out var rune, out var units) != OperationStatus.Done)
        {
            return (Kind.Other, units);
        }

        var kind = Rune.IsWhiteSpace(rune) ? Kind.Space : Rune.IsLetter(rune) ? Kind.Letter : Rune.IsNumber(rune) ? Kind.Number : Kind.Other;
        return (kind, units);
    }
}
