using System.Text.Json;
using Granary.Datasets;

namespace Granary.Client.Datasets;

/// <summary>Reads SQuAD's JSON, as XQuAD has it: articles of paragraphs, each with its questions.</summary>
/// <remarks>Rajpurkar et al. 2016; <c>{"data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers": [{"text"}]}]}]}]}</c>.</remarks>
internal static class SquadReader
{
    /// <summary>Reads the paragraphs, where the content is one JSON object with <c>data</c>.</summary>
    /// <param name="content">The file's bytes.</param>
    /// <returns>One element a paragraph; <see langword="null"/> where it is not of this format.</returns>
    public static IReadOnlyList<ReadItem>? TryRead(ReadOnlyMemory<byte> content)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(content);
        }
        catch (JsonException)
        {
            return null;
        }

        using (document)
        {
            return document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("data", out var articles)
                && articles.ValueKind == JsonValueKind.Array
                ? [.. articles.EnumerateArray().SelectMany(ReadArticle(new Dictionary<string, int>(StringComparer.Ordinal)))]
                : null;
        }
    }

    private static Func<JsonElement, int, IEnumerable<ReadItem>> ReadArticle(Dictionary<string, int> counts) => (article, index) =>
    {
        try
        {
            var title = article.Text("title");
            return article.List("paragraphs").Select(paragraph =>
            {
                // Two articles may share a title: they share its count, so that ids stay unique.
                var number = counts[title] = counts.GetValueOrDefault(title) + 1;
                var id = $"{title}-{number}";
                return ReadItem.Of(id, () => ReadParagraph(id, paragraph));
            });
        }
        catch (FieldException e)
        {
            return [new ReadItem($"article {index + 1}", null, e.Message)];
        }
    };

    private static DatasetItem ReadParagraph(string id, JsonElement paragraph) =>
        new(id, paragraph.Text("context"), [.. paragraph.List("qas", optional: true).Select(ReadQuestion)]);

    private static DatasetQuestion ReadQuestion(JsonElement question) => new(
        question.Text("id"),
        question.Text("question"),
        [.. question.List("answers", optional: true).Select(answer => answer.Text("text")).Distinct(StringComparer.Ordinal)]);
}
