using System.Text;

namespace Granary.Inference.Generation;

/// <summary>An answer's text as its tokens come.</summary>
/// <param name="append">Adds a token to a streaming decoder; gives whole characters only.</param>
/// <param name="flush">Gives what the decoder holds back.</param>
/// <param name="stops">What ends the answer.</param>
internal sealed class AnswerText(Func<int, string> append, Func<string> flush, IReadOnlyList<string> stops)
{
    private readonly StringBuilder _text = new();
    private readonly StopScanner _scanner = new(stops);

    /// <summary>Gets whether a stop string came.</summary>
    public bool Stopped => _scanner.Stopped;

    /// <summary>Adds a token.</summary>
    /// <returns>The text that became certain.</returns>
    public string Append(int id) => Keep(_scanner.Append(append(id)));

    /// <summary>Ends the answer.</summary>
    /// <returns>The text that was held back.</returns>
    public string Flush() => Keep(_scanner.Append(flush()) + _scanner.Flush());

    /// <inheritdoc/>
    public override string ToString() => _text.ToString();

    private string Keep(string text)
    {
        _text.Append(text);
        return text;
    }
}
