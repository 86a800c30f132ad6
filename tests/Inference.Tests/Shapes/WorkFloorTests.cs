using Granary.Inference.Pages;
using Granary.Inference.Shapes;

namespace Granary.Inference.Tests.Shapes;

/// <summary>The floors of pythia-70m, by hand: 6 layers, hidden 512, 8 heads of 64, MLP 2048, vocabulary 50304.</summary>
public sealed class WorkFloorTests
{
    [Fact]
    public void PrefillFlops_OfPythia70M_AreItsProducts()
    {
        Assert.True(PythiaShapes.TryGet("pythia-70m", out var config));

        // Five whole layers of 2 · (512 · 1536 + 512 · 512 + 2 · 512 · 2048) a token and 4 · 512 for each pair of tokens that see each other; the last one's keys and values.
        const double Layer = (6_291_456.0 * 10) + (4 * 512 * 55);
        Assert.Equal((5 * Layer) + (2 * 512 * 1024 * 10.0), WorkFloor.PrefillFlops(config, 10));
    }

    [Theory]
    [InlineData(KvDtype.Float32, 4)]
    [InlineData(KvDtype.BFloat16, 2)]
    public void DecodeBytes_OfPythia70M_AreWeightsWithoutTheInputEmbeddingAndKv(KvDtype dtype, int element)
    {
        Assert.True(PythiaShapes.TryGet("pythia-70m", out var config));
        const long Weights = 70_426_624;
        var layout = KvLayout.Of(config, dtype);
        Assert.Equal(
            ((Weights - (50304 * 512)) * element) + (100.0 * 2 * 6 * 512 * element),
            WorkFloor.DecodeBytes(config, layout, Weights * element, contextTokens: 100));
    }
}
