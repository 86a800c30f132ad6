using System.Text.Json;

namespace Granary.Cluster.Tests.Processes;

/// <summary>What Hugging Face's model answers to the bundled data set: eight greedy tokens a question.</summary>
internal static class SampleGolden
{
    /// <summary>Reads the ids by the questions' names.</summary>
    public static IReadOnlyDictionary<string, int[]> Read()
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Golden", "sample.json")));
        return golden.RootElement.EnumerateArray()
            .GroupBy(static entry => entry.GetProperty("question").GetString()!)
            .ToDictionary(
                static entries => entries.Key,
                // One context is there once more, cut to a multiple of the page size; a data set asks the whole one.
                static entries => ReadIds(entries.MaxBy(static entry => entry.GetProperty("context_tokens").GetInt32()).GetProperty("greedy")));
    }

    /// <summary>Reads the ids of the answer lines that <c>dataset ask</c> wrote.</summary>
    public static IReadOnlyDictionary<string, int[]> ReadAnswers(string path) => File.ReadLines(path)
        .Select(static line => JsonDocument.Parse(line).RootElement)
        .ToDictionary(static line => line.GetProperty("question").GetString()!, static line => ReadIds(line.GetProperty("tokenIds")));

    private static int[] ReadIds(JsonElement ids) => [.. ids.EnumerateArray().Select(static id => id.GetInt32())];
}
