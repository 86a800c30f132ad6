using System.Runtime.CompilerServices;

namespace Granary.Inference.Kernels;

// Tiles for the first rows that meet some weights and so bring them from memory: output by output, which is one stream, as the processor foresees it.
// Four outputs' streams in turns reach 60 % of the bandwidth, with prefetches or without (AMD EPYC, Zen 4, 2026-11-27). One stream that is fetched ahead comes at
// 50 GB/s where the processor's own foresight brings it at 41, in bfloat16 for one row or two and in float32 for two (Zen 5, 2026-11-27). The chains are those of the other tiles.
internal sealed unsafe partial class LaneKernels<TLanes, TVector, TElement>
    where TLanes : struct, ILanes<TVector>
    where TVector : struct
    where TElement : struct, IElement
{
    // Four rows at a time load more than they multiply. Four outputs' streams in turns, fetched ahead, are quicker then: the head of pythia-70m in float32
    // comes at 75 GB/s for four rows, output by output at 46 (AMD EPYC, Zen 5, 2026-11-27; Zen 4, whose prefetcher follows fewer streams, prefers the other by a fifth).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Streams(int count) => count < 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Stream(byte* w0, byte* w1, byte* w2, byte* w3, float* rows, int count, int width, float* sums)
    {
        if (count >= 2)
        {
            Stream2(w0, w1, w2, w3, rows, width, sums, AheadBytes);
            return 2;
        }

        Stream1(w0, w1, w2, w3, rows, width, sums, AheadBytes);
        return 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Stream2(byte* w0, byte* w1, byte* w2, byte* w3, float* x, int width, float* sums, nint ahead)
    {
        var x1 = x + width;
        nint block = 2 * TLanes.Count, whole = width / block * block;
        Chains2(w0, x, x1, whole, ahead, out var a00, out var a10);
        Chains2(w1, x, x1, whole, ahead, out var a01, out var a11);
        Chains2(w2, x, x1, whole, ahead, out var a02, out var a12);
        Chains2(w3, x, x1, whole, ahead, out var a03, out var a13);
        TLanes.Sum4(a00, a01, a02, a03, sums);
        TLanes.Sum4(a10, a11, a12, a13, sums + 4);
        if (whole < width)
        {
            Rest(w0, w1, w2, w3, x, whole, width, sums);
            Rest(w0, w1, w2, w3, x1, whole, width, sums + 4);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Chains2(byte* w, float* x0, float* x1, nint whole, nint ahead, out TVector a0, out TVector a1)
    {
        var zero = TLanes.Broadcast(0);
        TVector s0 = zero, s1 = zero;
        nint block = 2 * TLanes.Count;
        for (nint k = 0; k < whole; k += block)
        {
            Prefetch(w + (k * TElement.Bytes) + ahead, ahead > 0 ? block * TElement.Bytes : 0);
            var p = TElement.First<TLanes, TVector>(w + (k * TElement.Bytes));
            s0 = TLanes.MultiplyAdd(p, TLanes.Load(x0 + k), s0);
            s1 = TLanes.MultiplyAdd(p, TLanes.Load(x1 + k), s1);
            p = TElement.Second<TLanes, TVector>(w + (k * TElement.Bytes));
            s0 = TLanes.MultiplyAdd(p, TLanes.Load(x0 + k + TLanes.Count), s0);
            s1 = TLanes.MultiplyAdd(p, TLanes.Load(x1 + k + TLanes.Count), s1);
        }

        (a0, a1) = (s0, s1);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Stream1(byte* w0, byte* w1, byte* w2, byte* w3, float* x, int width, float* sums, nint ahead)
    {
        nint block = 2 * TLanes.Count, whole = width / block * block;
        TLanes.Sum4(Chain(w0, x, whole, ahead), Chain(w1, x, whole, ahead), Chain(w2, x, whole, ahead), Chain(w3, x, whole, ahead), sums);
        if (whole < width)
        {
            Rest(w0, w1, w2, w3, x, whole, width, sums);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Chain(byte* w, float* x, nint whole, nint ahead)
    {
        var sum = TLanes.Broadcast(0);
        nint block = 2 * TLanes.Count;
        for (nint k = 0; k < whole; k += block)
        {
            Prefetch(w + (k * TElement.Bytes) + ahead, ahead > 0 ? block * TElement.Bytes : 0);
            sum = TLanes.MultiplyAdd(TElement.First<TLanes, TVector>(w + (k * TElement.Bytes)), TLanes.Load(x + k), sum);
            sum = TLanes.MultiplyAdd(TElement.Second<TLanes, TVector>(w + (k * TElement.Bytes)), TLanes.Load(x + k + TLanes.Count), sum);
        }

        return sum;
    }
}
