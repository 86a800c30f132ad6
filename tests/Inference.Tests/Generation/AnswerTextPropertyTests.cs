using CsCheck;
using Granary.Inference.Generation;
using Granary.Inference.Tokenizers;

namespace Granary.Inference.Tests.Generation;

/// <summary>An answer's stream: whole characters only, and nothing that is, or may become, a stop string.</summary>
public sealed class AnswerTextPropertyTests
{
    private static readonly TextTokenizer Tokenizer = TextTokenizer.Load(Path.Combine(AppContext.BaseDirectory, "Models", "ledger-4m"))
        ?? throw new InvalidOperationException("The sample model has a tokenizer.");

    // Few characters, of one to four bytes in UTF-8, so that stop strings occur, whole and in part.
    private static readonly string[] Characters = ["a", "b", ".", " ", "\n", "é", "中", "\U0001f642", "\U0001f643"];

    private static readonly Gen<string> Character = Gen.Int[0, 8].Select(static index => Characters[index]);

    private static Gen<string> Text(int least, int most) => Character.Array[least, most].Select(static characters => string.Concat(characters));

    [Fact]
    public void Append_AnyTextAndStops_PassesOnWholeCharactersUpToTheFirstStop() => Gen.Select(Text(0, 60), Text(1, 4).Array[0, 3]).Sample((text, stops) =>
    {
        // The stop string that is complete first ends the answer; of two, the longer one.
        var end = stops.Select(stop => (At: text.IndexOf(stop, StringComparison.Ordinal), stop.Length)).Where(static found => found.At >= 0)
            .OrderBy(static found => found.At + found.Length).ThenBy(static found => found.At).Select(static found => found.At).FirstOrDefault(text.Length);
        var decoder = Tokenizer.CreateDecoder();
        var answer = new AnswerText(decoder.Append, decoder.Flush, stops);
        var passed = string.Empty;
        foreach (var id in Tokenizer.Encode(text))
        {
            var piece = answer.Append(id);
            Assert.DoesNotContain('\uFFFD', piece);
            Assert.False(piece.Length > 0 && (char.IsLowSurrogate(piece[0]) || char.IsHighSurrogate(piece[^1])), "The stream split a character.");
            passed += piece;
            Assert.StartsWith(passed, text[..end], StringComparison.Ordinal); // so nothing of a stop string was passed on
            if (answer.Stopped)
            {
                break;
            }
        }

        passed += answer.Flush();
        Assert.Equal(text[..end], passed);
        Assert.Equal(passed, answer.ToString());
        Assert.Equal(end < text.Length, answer.Stopped);
    });
}
