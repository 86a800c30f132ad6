using Granary.Inference.Engine;
using Granary.Inference.Generation;
using Granary.Inference.Pages;
using Granary.Testing;

namespace Granary.Inference.Tests.HistoryIndependence;

/// <summary>A context and one ask on it: all that an answer may depend on, beside the model.</summary>
/// <param name="Length">The context's ids; 0 for an ask without a context.</param>
/// <param name="PromptLength">The prompt's ids.</param>
/// <param name="Sampled">Seed 7 and temperature 0.8 instead of greedy.</param>
/// <param name="Seed">The seed of the ids.</param>
internal sealed record ContextCase(int Length, int PromptLength, bool Sampled, int Seed)
{
    // Beside every length of the issue a prompt of another row count: few rows take other kernels than many, 300 cross a page boundary, and the answer behind 250 does.
    private static readonly (int Length, int PromptLength)[] Lengths = [(1, 5), (3, 250), (255, 3), (256, 1), (257, 17), (511, 9), (513, 300), (1500, 40)];

    /// <summary>Gets 16 different asks on contexts around the page boundaries.</summary>
    public static IReadOnlyList<ContextCase> All { get; } =
        [.. Lengths.SelectMany((pair, index) => (ContextCase[])[new(pair.Length, pair.PromptLength, false, index), new(pair.Length, pair.PromptLength, true, index)])];

    /// <summary>Gets the options of the ask.</summary>
    /// <remarks>The short form decodes 48 tokens of the sample model in our kernels, and 6 of the random shapes and in libtorch.</remarks>
    public SamplingOptions OptionsOn(LoadedModel model) => new()
    {
        MaxNewTokens = LongForm.Wanted || (model.ModelId == HistoryModels.Sample && model.Layout.Dtype != KvDtype.Float64) ? 48 : 6,
        IgnoreEos = true,
        LogProbabilities = true,
        Temperature = Sampled ? 0.8 : 0,
        Seed = Sampled ? 7 : 0,
    };

    public int[] ContextIds(int vocabulary) => Ids(Length, Seed, vocabulary);

    public int[] PromptIds(int vocabulary) => Ids(PromptLength, Seed + 1000, vocabulary);

    public static int[] Ids(int length, int seed, int vocabulary)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(vocabulary))];
    }
}
