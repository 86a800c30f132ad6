using System.Text.Json;
using Granary.Datasets;

namespace Granary.Client.Datasets;

/// <summary>Reads Granary's own data-set format: one item a line (DESIGN §8). Blank lines are skipped.</summary>
internal static class JsonLinesReader
{
    /// <summary>Reads the lines.</summary>
    /// <param name="content">The file's bytes.</param>
    /// <returns>One element a line that is not blank.</returns>
    public static IEnumerable<ReadItem> Read(ReadOnlyMemory<byte> content)
    {
        for (var number = 1; content.Length > 0; number++)
        {
            var end = content.Span.IndexOf((byte)'\n');
            var line = end < 0 ? content : content[..end];
            content = end < 0 ? default : content[(end + 1)..];
            if (line.Span.ContainsAnyExcept(" \t\r"u8))
            {
                yield return ReadItem.Of($"line {number}", () => ReadLine(line));
            }
        }
    }

    private static DatasetItem ReadLine(ReadOnlyMemory<byte> line)
    {
        using var document = JsonDocument.Parse(line);
        var item = document.RootElement;
        return new DatasetItem(item.Text("id"), item.Text("context"), [.. item.List("questions", optional: true).Select(ReadQuestion)]);
    }

    private static DatasetQuestion ReadQuestion(JsonElement question) => new(
        question.Text("id"),
        question.Text("question"),
        [.. question.List("answers", optional: true).Select(answer => answer.AsText("answers"))]);
}
