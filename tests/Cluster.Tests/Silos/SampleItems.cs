using Granary.Client.Datasets;
using Granary.Contexts;
using Granary.Datasets;
using Granary.Testing;

namespace Granary.Cluster.Tests.Silos;

/// <summary>The bundled data set's contexts, and one question to each.</summary>
internal static class SampleItems
{
    /// <summary>Reads the first of them.</summary>
    public static IReadOnlyList<DatasetItem> Take(int count) => [.. DatasetSource.Read(Repository.GetPath("datasets/ledgers.jsonl")).Items.Take(count)];

    /// <summary>Makes the ask of an item's first question: eight tokens with their log-probabilities.</summary>
    public static AskRequest Ask(DatasetItem item) => new()
    {
        Prompt = TokenInput.OfText(item.Questions[0].Question),
        Options = new GenerationOptions { MaxNewTokens = 8, IgnoreEos = true, LogProbabilities = true },
    };

    /// <summary>Gets all bits of an answer that a history could change.</summary>
    public static (string TokenIds, string LogProbabilities) Bits(Answer answer) => (
        string.Join(' ', answer.TokenIds),
        string.Join(' ', (answer.LogProbabilities ?? []).Select(static value => BitConverter.DoubleToInt64Bits(value).ToString("x16", System.Globalization.CultureInfo.InvariantCulture))));
}
