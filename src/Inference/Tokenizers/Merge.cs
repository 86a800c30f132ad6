using System.Text.Json;

namespace Granary.Inference.Tokenizers;

/// <summary>A merge of byte-level BPE: two tokens that become a third.</summary>
/// <param name="Line">Both with a space between them, as <c>merges.txt</c> and most <c>tokenizer.json</c> have it.</param>
/// <param name="Space">Where the space is.</param>
internal readonly record struct Merge(string Line, int Space)
{
    private const int MostOnStack = 256;

    public ReadOnlySpan<char> Left => Line.AsSpan(0, Space);

    public ReadOnlySpan<char> Right => Line.AsSpan(Space + 1);

    /// <summary>Reads a line, or a list of the two tokens, which newer files have.</summary>
    /// <returns><see langword="null"/> if it is neither.</returns>
    public static Merge? Read(JsonElement stored)
    {
        if (stored.ValueKind == JsonValueKind.Array && stored.GetArrayLength() == 2)
        {
            var (left, right) = (stored[0].ToString(), stored[1].ToString());
            return left.Contains(' ', StringComparison.Ordinal) || right.Contains(' ', StringComparison.Ordinal) ? null : new Merge($"{left} {right}", left.Length); // no byte is written as a space
        }

        var line = stored.ValueKind == JsonValueKind.String ? stored.ToString() : "";
        var space = line.IndexOf(' ', StringComparison.Ordinal);
        return space >= 0 && space == line.LastIndexOf(' ') ? new Merge(line, space) : null;
    }

    /// <summary>Gets the ids of the two.</summary>
    /// <returns><see langword="false"/> if one of them, or what they make, is not in the vocabulary.</returns>
    public bool TryGetIds(Dictionary<string, int> vocabulary, out (int Left, int Right) ids)
    {
        var tokens = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        Span<char> together = Line.Length <= MostOnStack ? stackalloc char[Line.Length - 1] : new char[Line.Length - 1];
        Left.CopyTo(together);
        Right.CopyTo(together[Space..]);
        var known = tokens.TryGetValue(Left, out var left) & tokens.TryGetValue(Right, out var right) & tokens.ContainsKey(together);
        ids = (left, right);
        return known;
    }
}
