using System.Runtime.Intrinsics.X86;
using Granary.Inference.Engine;
using Granary.Inference.Pages;

namespace Granary.Inference.Tests.Engine;

/// <summary>What the numerics id depends on.</summary>
public sealed class NumericsIdTests
{
    [Fact]
    public void Of_EqualParts_IsEqual() => Assert.Equal(Of().Id, Of().Id);

    [Fact]
    public void Of_AnyOtherPart_IsAnotherId()
    {
        NumericsId[] ids =
        [
            Of(),
            NumericsId.Of("cuda", Layout(KvDtype.Float32, 256), "avx2", "r", static _ => null),
            NumericsId.Of("cpu", Layout(KvDtype.BFloat16, 256), "avx2", "r", static _ => null),
            NumericsId.Of("cpu", Layout(KvDtype.Float32, 128), "avx2", "r", static _ => null),
            NumericsId.Of("cpu", Layout(KvDtype.Float32, 256), "avx512", "r", static _ => null),
            NumericsId.Of("cpu", Layout(KvDtype.Float32, 256), null, "r", static _ => null),
            NumericsId.Of("cpu", Layout(KvDtype.Float32, 256), "avx2", "other", static _ => null),
            NumericsId.Of("cpu", Layout(KvDtype.Float32, 256) with { Codec = KvCodec.BFloat16 }, "avx2", "r", static _ => null),
            Of().AsInexact(),
        ];

        Assert.Equal(ids.Length, ids.Select(id => id.Id).Distinct().Count());
    }

    [Theory, InlineData("ATEN_CPU_CAPABILITY", "avx2"), InlineData("ONEDNN_DEFAULT_FPMATH_MODE", "BF16"), InlineData("ONEDNN_MAX_CPU_ISA", "AVX2"), InlineData("MKL_CBWR", "COMPATIBLE")]
    public void Of_VariableThatMovesLibtorch_IsAPart(string variable, string value)
    {
        var moved = NumericsId.Of("cpu", Layout(KvDtype.Float32, 256), "avx2", "r", name => name == variable ? value : null);

        Assert.Equal(value, moved.Parts[variable]);
        Assert.NotEqual(Of().Id, moved.Id);
    }

    [Fact]
    public void Of_ThisMachine_NamesTheProcessorsInstructionClass() => Assert.StartsWith(Avx512F.IsSupported ? "avx512" : Avx2.IsSupported ? "avx" : string.Empty, Of().Parts["cpu"], StringComparison.Ordinal);

    private static KvLayout Layout(KvDtype dtype, int pageSize) => new(Layers: 1, KvHeads: 1, HeadDim: 8, dtype, pageSize);

    private static NumericsId Of() => NumericsId.Of("cpu", Layout(KvDtype.Float32, 256), "avx2", "r", static _ => null);
}
