using System.Runtime.CompilerServices;

namespace Granary.Inference.Kernels;

// Tiles for the first rows that meet some weights and so bring them from memory: output by output, which is one stream, as the processor foresees it.
// Four outputs' streams in turns reach 60 % of the bandwidth, with prefetches or without (AMD EPYC, Zen 4, 2026-11-27). The chains are those of the other tiles.
internal sealed unsafe partial class LaneKernels<TLanes, TVector, TElement>
    where TLanes : struct, ILanes<TVector>
    where TVector : struct
    where TElement : struct, IElement
{
    private const int MostStreamedRows = 8;

    // Four rows at a time load more than they multiply: with many rows, and with bfloat16's twice as many products for a line, they fall behind memory.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Streams(int count) => count < 4 || (TElement.Bytes == sizeof(float) && count <= MostStreamedRows);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Stream(byte* w0, byte* w1, byte* w2, byte* w3, float* rows, int count, int width, float* sums)
    {
        if (TileRows == 4 && count >= 4)
        {
            Stream4(w0, w1, w2, w3, rows, width, sums);
            return 4;
        }

        if (count >= 2)
        {
            Stream2(w0, w1, w2, w3, rows, width, sums);
            return 2;
        }

        Stream1(w0, w1, w2, w3, rows, width, sums);
        return 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Stream4(byte* w0, byte* w1, byte* w2, byte* w3, float* x, int width, float* sums)
    {
        var x1 = x + width;
        var x2 = x + (2 * (nint)width);
        var x3 = x + (3 * (nint)width);
        nint block = 2 * TLanes.Count, whole = width / block * block;
        Chains4(w0, x, x1, x2, x3, whole, out var a00, out var a10, out var a20, out var a30);
        Chains4(w1, x, x1, x2, x3, whole, out var a01, out var a11, out var a21, out var a31);
        Chains4(w2, x, x1, x2, x3, whole, out var a02, out var a12, out var a22, out var a32);
        Chains4(w3, x, x1, x2, x3, whole, out var a03, out var a13, out var a23, out var a33);
        TLanes.Sum16(a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23, a30, a31, a32, a33, sums);
        if (whole < width)
        {
            Rest(w0, w1, w2, w3, x, whole, width, sums);
            Rest(w0, w1, w2, w3, x1, whole, width, sums + 4);
            Rest(w0, w1, w2, w3, x2, whole, width, sums + 8);
            Rest(w0, w1, w2, w3, x3, whole, width, sums + 12);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Chains4(byte* w, float* x0, float* x1, float* x2, float* x3, nint whole, out TVector a0, out TVector a1, out TVector a2, out TVector a3)
    {
        var zero = TLanes.Broadcast(0);
        TVector s0 = zero, s1 = zero, s2 = zero, s3 = zero;
        nint block = 2 * TLanes.Count;
        for (nint k = 0; k < whole; k += block)
        {
            var p = TElement.First<TLanes, TVector>(w + (k * TElement.Bytes));
            s0 = TLanes.MultiplyAdd(p, TLanes.Load(x0 + k), s0);
            s1 = TLanes.MultiplyAdd(p, TLanes.Load(x1 + k), s1);
            s2 = TLanes.MultiplyAdd(p, TLanes.Load(x2 + k), s2);
            s3 = TLanes.MultiplyAdd(p, TLanes.Load(x3 + k), s3);
            p = TElement.Second<TLanes, TVector>(w + (k * TElement.Bytes));
            s0 = TLanes.MultiplyAdd(p, TLanes.Load(x0 + k + TLanes.Count), s0);
            s1 = TLanes.MultiplyAdd(p, TLanes.Load(x1 + k + TLanes.Count), s1);
            s2 = TLanes.MultiplyAdd(p, TLanes.Load(x2 + k + TLanes.Count), s2);
            s3 = TLanes.MultiplyAdd(p, TLanes.Load(x3 + k + TLanes.Count), s3);
        }

        (a0, a1, a2, a3) = (s0, s1, s2, s3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Stream2(byte* w0, byte* w1, byte* w2, byte* w3, float* x, int width, float* sums)
    {
        var x1 = x + width;
        nint block = 2 * TLanes.Count, whole = width / block * block;
        Chains2(w0, x, x1, whole, out var a00, out var a10);
        Chains2(w1, x, x1, whole, out var a01, out var a11);
        Chains2(w2, x, x1, whole, out var a02, out var a12);
        Chains2(w3, x, x1, whole, out var a03, out var a13);
        TLanes.Sum4(a00, a01, a02, a03, sums);
        TLanes.Sum4(a10, a11, a12, a13, sums + 4);
        if (whole < width)
        {
            Rest(w0, w1, w2, w3, x, whole, width, sums);
            Rest(w0, w1, w2, w3, x1, whole, width, sums + 4);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Chains2(byte* w, float* x0, float* x1, nint whole, out TVector a0, out TVector a1)
    {
        var zero = TLanes.Broadcast(0);
        TVector s0 = zero, s1 = zero;
        nint block = 2 * TLanes.Count;
        for (nint k = 0; k < whole; k += block)
        {
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
    private static void Stream1(byte* w0, byte* w1, byte* w2, byte* w3, float* x, int width, float* sums)
    {
        nint block = 2 * TLanes.Count, whole = width / block * block;
        TLanes.Sum4(Chain(w0, x, whole), Chain(w1, x, whole), Chain(w2, x, whole), Chain(w3, x, whole), sums);
        if (whole < width)
        {
            Rest(w0, w1, w2, w3, x, whole, width, sums);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Chain(byte* w, float* x, nint whole)
    {
        var sum = TLanes.Broadcast(0);
        nint block = 2 * TLanes.Count;
        for (nint k = 0; k < whole; k += block)
        {
            sum = TLanes.MultiplyAdd(TElement.First<TLanes, TVector>(w + (k * TElement.Bytes)), TLanes.Load(x + k), sum);
            sum = TLanes.MultiplyAdd(TElement.Second<TLanes, TVector>(w + (k * TElement.Bytes)), TLanes.Load(x + k + TLanes.Count), sum);
        }

        return sum;
    }
}
