using System.Runtime.InteropServices;
using Granary.Inference.Pages;

namespace Granary.Inference.Tests.Pages;

public sealed class PageComparisonTests
{
    private const int Tokens = 3;

    [Fact]
    public void FindDifference_EqualBytes_IsNone()
    {
        var (page, expected) = Pages(KvDtype.Float32);
        Assert.Null(PageComparison.FindDifference(page, expected, tolerance: 0));
        Release(page, expected);
    }

    [Fact]
    public void FindDifference_TwoNumbersDiffer_SaysWhereTheFirstIsAndHowMuchTheMost()
    {
        var (page, expected) = Pages(KvDtype.Float32);
        var values = MemoryMarshal.Cast<byte, float>(page.Span);

        // [layers 2, key and value, kv_heads 2, tokens 3, head_dim 4]: layer 1, keys, head 1, token 2, channel 1
        values[^1] = 1.5f;
        values[(((((((1 * 2) + 0) * 2) + 1) * Tokens) + 2) * 4) + 1] = -2;

        Assert.Equal(new KvDifference(2, 1, IsValue: false, Head: 1, Token: 2, Channel: 1, Largest: 2), PageComparison.FindDifference(page, expected, tolerance: 0));
        Assert.Equal(new KvDifference(1, 1, IsValue: false, Head: 1, Token: 2, Channel: 1, Largest: 2), PageComparison.FindDifference(page, expected, tolerance: 1.75));
        Assert.Null(PageComparison.FindDifference(page, expected, tolerance: 2));
        Release(page, expected);
    }

    [Theory]
    [InlineData(KvDtype.Float32)]
    [InlineData(KvDtype.BFloat16)]
    [InlineData(KvDtype.Float64)]
    public void FindDifference_LastBit_IsSeenAndWithinATolerance(KvDtype dtype)
    {
        var (page, expected) = Pages(dtype);
        page.Span[^dtype.Bytes()] ^= 1; // little-endian: the least bit of the last number

        var found = PageComparison.FindDifference(page, expected, tolerance: 0)!;

        Assert.Equal((1L, 1, true, 1, Tokens - 1, 3), (found.Values, found.Layer, found.IsValue, found.Head, found.Token, found.Channel));
        Assert.Null(PageComparison.FindDifference(page, expected, tolerance: 1e-4));
        Release(page, expected);
    }

    [Fact]
    public void FindDifference_NotANumber_IsNeverWithinATolerance()
    {
        var (page, expected) = Pages(KvDtype.Float32);
        MemoryMarshal.Cast<byte, float>(page.Span)[0] = float.NaN;
        Assert.Equal(double.PositiveInfinity, PageComparison.FindDifference(page, expected, tolerance: 1e9)?.Largest);
        Release(page, expected);
    }

    private static (KvPage Page, KvPage Expected) Pages(KvDtype dtype)
    {
        var layout = new KvLayout(Layers: 2, KvHeads: 2, HeadDim: 4, dtype, PageSize: 4);
        var (page, expected) = (KvPage.Create(layout, 0, Tokens, null), KvPage.Create(layout, 0, Tokens, null));
        page.Span.Clear();
        expected.Span.Clear();
        return (page, expected);
    }

    private static void Release(params KvPage[] pages)
    {
        foreach (var page in pages)
        {
            page.Release();
        }
    }
}
