using System.Text;

namespace Granary.Inference.Tokenizers;

/// <summary>Decodes token ids one by one; a character whose bytes lie in several tokens is handed out whole, with the last of them.</summary>
/// <remarks>All that it returns, joined, is what <see cref="TextTokenizer.Decode(IReadOnlyList{int}, bool)"/> returns for the same ids. For one answer and one thread.</remarks>
public sealed class StreamingDecoder
{
    private readonly TextTokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();

    internal StreamingDecoder(TextTokenizer tokenizer, bool skipSpecialTokens)
    {
        _tokenizer = tokenizer;
        _skipSpecialTokens = skipSpecialTokens;
    }

    /// <summary>Takes the next token.</summary>
    /// <param name="id">Its id; one without a token adds nothing.</param>
    /// <returns>The characters that are complete now; often none.</returns>
    public string Append(int id) => Decode(_tokenizer.BytesOf(id, _skipSpecialTokens), flush: false);

    /// <summary>Ends the answer.</summary>
    /// <returns>U+FFFD if a character was left incomplete, otherwise nothing.</returns>
    public string Flush() => Decode([], flush: true);

    private string Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        var characters = new char[_decoder.GetCharCount(bytes, flush)];
        return new string(characters, 0, _decoder.GetChars(bytes, characters, flush));
    }
}
