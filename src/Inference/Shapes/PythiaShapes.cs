using System.Diagnostics.CodeAnalysis;
using Granary.Inference.Checkpoints;

namespace Granary.Inference.Shapes;

/// <summary>The shapes of the Pythia models, known without a checkpoint.</summary>
/// <remarks>Biderman et al. 2023, table 1, and the config.json of EleutherAI's checkpoints.</remarks>
public static class PythiaShapes
{
    private const string Prefix = "pythia-";
    private const int RotaryDivisor = 4; // rotary_pct 0.25

    private static readonly (string Size, int Layers, int Hidden, int Heads, int Vocabulary)[] Table =
    [
        ("14m", 6, 128, 4, 50304),
        ("31m", 6, 256, 8, 50304),
        ("70m", 6, 512, 8, 50304),
        ("160m", 12, 768, 12, 50304),
        ("410m", 24, 1024, 16, 50304),
        ("1b", 16, 2048, 8, 50304),
        ("1.4b", 24, 2048, 16, 50304),
        ("2.8b", 32, 2560, 32, 50304),
        ("6.9b", 32, 4096, 32, 50432),
        ("12b", 36, 5120, 40, 50688),
    ];

    /// <summary>Gets the names, small to large: <c>pythia-14m</c> to <c>pythia-12b</c>.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Table.Select(row => Prefix + row.Size)];

    /// <summary>Finds a shape.</summary>
    /// <param name="name">Its name, with or without <c>pythia-</c>, in any case.</param>
    /// <param name="config">The configuration: float32 or float16 is the weights' business, not the shape's.</param>
    /// <returns><see langword="false"/> if Pythia has no such size.</returns>
    public static bool TryGet(string name, [MaybeNullWhen(false)] out ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(name);
        var size = name.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) ? name[Prefix.Length..] : name;
        var row = Table.FirstOrDefault(row => row.Size.Equals(size, StringComparison.OrdinalIgnoreCase));
        config = row.Size is null ? null : new ModelConfig
        {
            ModelType = "gpt_neox",
            Layers = row.Layers,
            HiddenSize = row.Hidden,
            Heads = row.Heads,
            KvHeads = row.Heads,
            HeadDim = row.Hidden / row.Heads,
            IntermediateSize = 4 * row.Hidden,
            VocabularySize = row.Vocabulary,
            Window = 2048,
            RotaryDimensions = row.Hidden / row.Heads / RotaryDivisor,
            RotaryBase = 10000,
            LayerNormEpsilon = 1e-5,
            Activation = Activation.Gelu,
            ParallelResidual = true,
            TiedEmbeddings = false,
            AttentionBias = true,
            EosTokenId = 0,
        };
        return config is not null;
    }
}
