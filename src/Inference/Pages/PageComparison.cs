using System.Numerics;
using System.Runtime.InteropServices;

namespace Granary.Inference.Pages;

/// <summary>How two copies of a page differ: how many numbers, where the first one is, and by how much the most.</summary>
/// <param name="Values">How many numbers differ; 1 or more.</param>
/// <param name="Layer">The first one's layer.</param>
/// <param name="IsValue">Whether it is one of the values, not of the keys.</param>
/// <param name="Head">Its head.</param>
/// <param name="Token">Its token of the page.</param>
/// <param name="Channel">Its channel.</param>
/// <param name="Largest">The largest difference; infinite where one of the two is no finite number.</param>
public sealed record KvDifference(long Values, int Layer, bool IsValue, int Head, int Token, int Channel, double Largest);

/// <summary>Compares pages number by number.</summary>
public static class PageComparison
{
    /// <summary>Compares two copies of a page.</summary>
    /// <param name="page">One.</param>
    /// <param name="expected">The other, of the same layout and tokens; the caller holds a reference to both.</param>
    /// <param name="tolerance">By how much a number may differ, of the expected one's size or of 1 where that is more; 0 compares bits.</param>
    /// <returns>How they differ; <see langword="null"/> where they do not.</returns>
    public static KvDifference? FindDifference(KvPage page, KvPage expected, double tolerance)
    {
        ArgumentNullException.ThrowIfNull(page);
        ArgumentNullException.ThrowIfNull(expected);
        if (page.Layout != expected.Layout || page.Start != expected.Start || page.Count != expected.Count)
        {
            throw new ArgumentException("The pages are not copies of one.", nameof(page));
        }

        if (page.Span.SequenceEqual(expected.Span))
        {
            return null;
        }

        return page.Layout.Dtype switch
        {
            KvDtype.Float32 => Find<float, uint>(page, expected, tolerance, static value => value),
            KvDtype.Float64 => Find<double, ulong>(page, expected, tolerance, static value => value),
            _ => Find<ushort, ushort>(page, expected, tolerance, static bits => BitConverter.UInt32BitsToSingle((uint)bits << 16)),
        };
    }

    private static KvDifference? Find<T, TBits>(KvPage page, KvPage expected, double tolerance, Func<T, double> valueOf)
        where T : unmanaged
        where TBits : unmanaged, IBinaryInteger<TBits>
    {
        var (layout, tokens) = (page.Layout, page.Count);
        ReadOnlySpan<T> left = MemoryMarshal.Cast<byte, T>(page.Span), right = MemoryMarshal.Cast<byte, T>(expected.Span);
        ReadOnlySpan<TBits> leftBits = MemoryMarshal.Cast<byte, TBits>(page.Span), rightBits = MemoryMarshal.Cast<byte, TBits>(expected.Span);
        var (values, first, largest) = (0L, 0, 0.0);
        for (var i = 0; i < left.Length; i++)
        {
            if (leftBits[i] == rightBits[i])
            {
                continue;
            }

            var (a, b) = (valueOf(left[i]), valueOf(right[i]));
            var difference = double.IsFinite(a) && double.IsFinite(b) ? Math.Abs(a - b) : double.PositiveInfinity;
            if (tolerance > 0 && difference <= tolerance * Math.Max(1, Math.Abs(b)))
            {
                continue;
            }

            first = values++ == 0 ? i : first;
            largest = Math.Max(largest, difference);
        }

        if (values == 0)
        {
            return null;
        }

        // [layers, 2, kv_heads, tokens, head_dim]
        var (row, channel) = Math.DivRem(first, layout.HeadDim);
        var (plane, token) = Math.DivRem(row, tokens);
        var (tensor, head) = Math.DivRem(plane, layout.KvHeads);
        return new KvDifference(values, tensor / 2, tensor % 2 == 1, head, token, channel, largest);
    }
}
