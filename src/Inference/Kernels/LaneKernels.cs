using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Granary.Inference.Kernels;

/// <summary>The kernels, compiled for each instruction set and stored element.</summary>
/// <remarks>
/// A product is one chain of fused multiply-adds for each lane, in order of the blocks, then the lanes' sum, then what is behind the last whole block,
/// element by element. A tile only chooses how many such chains run side by side, so the order is the same in all of them.
/// </remarks>
internal sealed unsafe partial class LaneKernels<TLanes, TVector, TElement> : RowKernels
    where TLanes : struct, ILanes<TVector>
    where TVector : struct
    where TElement : struct, IElement
{
    private const int Outputs = 4;  // of a tile
    private const int CacheLine = 64;
    private const int AheadBytes = 8192; // of weights that are fetched before they are used: nearer, and they come too late

    public override string InstructionSet { get; } = typeof(TLanes).Name switch
    {
        nameof(Avx512Lanes) => "avx512",
        nameof(Avx2Lanes) => "avx2",
        _ => "vector" + TLanes.Count,
    };

    public override int ElementBytes => TElement.Bytes;

    public override bool Packs => TElement.IsUnzipped;

    // AVX-512 has 32 registers: 16 sums, 4 weights, 1 row. The others have 16.
    private static int TileRows
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TLanes.Count > 8 ? 4 : 2;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // hot from its first call: a tier that counts calls would run the first tokens ten times slower
    public override void Multiply(byte* weight, float* bias, float* rows, int count, int width, float* target, int stride, int first, int end)
    {
        var sums = stackalloc float[4 * Outputs];
        var tileBytes = (nint)Outputs * width * TElement.Bytes;
        var aheadStep = AheadStep(tileBytes, count, width);
        var aheadTiles = (int)Math.Max(1, AheadBytes / tileBytes);
        for (var n = first; n < end; n += Outputs)
        {
            var outputs = Math.Min(Outputs, end - n);
            var w0 = weight + ((long)n * width * TElement.Bytes);
            var w1 = outputs > 1 ? w0 + ((long)width * TElement.Bytes) : w0;
            var w2 = outputs > 2 ? w1 + ((long)width * TElement.Bytes) : w0;
            var w3 = outputs > 3 ? w2 + ((long)width * TElement.Bytes) : w0;
            var ahead = aheadTiles * tileBytes;
            var aheadEnd = n + (aheadTiles * Outputs) < end ? ahead + tileBytes : 0;
            for (var row = 0; row < count;)
            {
                var x = rows + ((long)row * width);
                int taken;
                if (row == 0 && Streams(count))
                {
                    taken = Stream(w0, w1, w2, w3, x, count, width, sums);
                }
                else
                {
                    taken = Products(w0, w1, w2, w3, x, count - row, width, sums, w0 + ahead, ahead < aheadEnd ? aheadStep : 0);
                    ahead += aheadStep * (width / (2 * TLanes.Count));
                }

                for (var tileRow = 0; tileRow < taken; tileRow++, row++)
                {
                    Keep(sums + (tileRow * Outputs), bias is null ? null : bias + n, outputs, target + ((long)row * stride) + n);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Keep(float* sums, float* bias, int outputs, float* target)
    {
        if (outputs == Outputs)
        {
            (Vector128.Load(sums) + (bias is null ? Vector128<float>.Zero : Vector128.Load(bias))).Store(target);
            return;
        }

        for (var output = 0; output < outputs; output++)
        {
            target[output] = sums[output] + (bias is null ? 0 : bias[output]);
        }
    }

    // While tiles compute, memory must not wait: they fetch a later tile's weights, each its share, whole lines a block.
    private static nint AheadStep(nint tileBytes, int count, int width)
    {
        var tiles = (count / TileRows) - (Streams(count) ? 1 : 0);
        var blocks = (nint)Math.Max(1, tiles) * (width / (2 * TLanes.Count));
        return blocks == 0 ? 0 : (tileBytes + (blocks * CacheLine) - 1) / (blocks * CacheLine) * CacheLine;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* first, nint bytes)
    {
        for (nint offset = 0; offset < bytes && Sse.IsSupported; offset += CacheLine)
        {
            Sse.Prefetch0(first + offset);
        }
    }

    // As many rows as the largest tile that fits takes; their four products each into sums.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Products(byte* w0, byte* w1, byte* w2, byte* w3, float* rows, int count, int width, float* sums, byte* ahead, nint aheadStep)
    {
        if (TileRows == 4 && count >= 4)
        {
            Tile4(w0, w1, w2, w3, rows, width, sums, ahead, aheadStep);
            return 4;
        }

        if (count >= 2)
        {
            Tile2(w0, w1, w2, w3, rows, width, sums, ahead, aheadStep);
            return 2;
        }

        Stream1(w0, w1, w2, w3, rows, width, sums, ahead: 0);
        return 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(byte* w0, byte* w1, byte* w2, byte* w3, float* x, int width, float* sums, byte* ahead, nint aheadStep)
    {
        var zero = TLanes.Broadcast(0);
        TVector a00 = zero, a01 = zero, a02 = zero, a03 = zero;
        TVector a10 = zero, a11 = zero, a12 = zero, a13 = zero;
        TVector a20 = zero, a21 = zero, a22 = zero, a23 = zero;
        TVector a30 = zero, a31 = zero, a32 = zero, a33 = zero;
        var x1 = x + width;
        var x2 = x + (2 * (nint)width);
        var x3 = x + (3 * (nint)width);
        nint block = 2 * TLanes.Count, whole = width / block * block;
        for (nint k = 0; k < whole; k += block)
        {
            Prefetch(ahead, aheadStep);
            ahead += aheadStep;
            var p0 = TElement.First<TLanes, TVector>(w0 + (k * TElement.Bytes));
            var p1 = TElement.First<TLanes, TVector>(w1 + (k * TElement.Bytes));
            var p2 = TElement.First<TLanes, TVector>(w2 + (k * TElement.Bytes));
            var p3 = TElement.First<TLanes, TVector>(w3 + (k * TElement.Bytes));
            var v = TLanes.Load(x + k);
            a00 = TLanes.MultiplyAdd(p0, v, a00);
            a01 = TLanes.MultiplyAdd(p1, v, a01);
            a02 = TLanes.MultiplyAdd(p2, v, a02);
            a03 = TLanes.MultiplyAdd(p3, v, a03);
            v = TLanes.Load(x1 + k);
            a10 = TLanes.MultiplyAdd(p0, v, a10);
            a11 = TLanes.MultiplyAdd(p1, v, a11);
            a12 = TLanes.MultiplyAdd(p2, v, a12);
            a13 = TLanes.MultiplyAdd(p3, v, a13);
            v = TLanes.Load(x2 + k);
            a20 = TLanes.MultiplyAdd(p0, v, a20);
            a21 = TLanes.MultiplyAdd(p1, v, a21);
            a22 = TLanes.MultiplyAdd(p2, v, a22);
            a23 = TLanes.MultiplyAdd(p3, v, a23);
            v = TLanes.Load(x3 + k);
            a30 = TLanes.MultiplyAdd(p0, v, a30);
            a31 = TLanes.MultiplyAdd(p1, v, a31);
            a32 = TLanes.MultiplyAdd(p2, v, a32);
            a33 = TLanes.MultiplyAdd(p3, v, a33);
            p0 = TElement.Second<TLanes, TVector>(w0 + (k * TElement.Bytes));
            p1 = TElement.Second<TLanes, TVector>(w1 + (k * TElement.Bytes));
            p2 = TElement.Second<TLanes, TVector>(w2 + (k * TElement.Bytes));
            p3 = TElement.Second<TLanes, TVector>(w3 + (k * TElement.Bytes));
            v = TLanes.Load(x + k + TLanes.Count);
            a00 = TLanes.MultiplyAdd(p0, v, a00);
            a01 = TLanes.MultiplyAdd(p1, v, a01);
            a02 = TLanes.MultiplyAdd(p2, v, a02);
            a03 = TLanes.MultiplyAdd(p3, v, a03);
            v = TLanes.Load(x1 + k + TLanes.Count);
            a10 = TLanes.MultiplyAdd(p0, v, a10);
            a11 = TLanes.MultiplyAdd(p1, v, a11);
            a12 = TLanes.MultiplyAdd(p2, v, a12);
            a13 = TLanes.MultiplyAdd(p3, v, a13);
            v = TLanes.Load(x2 + k + TLanes.Count);
            a20 = TLanes.MultiplyAdd(p0, v, a20);
            a21 = TLanes.MultiplyAdd(p1, v, a21);
            a22 = TLanes.MultiplyAdd(p2, v, a22);
            a23 = TLanes.MultiplyAdd(p3, v, a23);
            v = TLanes.Load(x3 + k + TLanes.Count);
            a30 = TLanes.MultiplyAdd(p0, v, a30);
            a31 = TLanes.MultiplyAdd(p1, v, a31);
            a32 = TLanes.MultiplyAdd(p2, v, a32);
            a33 = TLanes.MultiplyAdd(p3, v, a33);
        }

        TLanes.Sum16(a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23, a30, a31, a32, a33, sums);
        if (whole < width)
        {
            Rest(w0, w1, w2, w3, x, whole, width, sums);
            Rest(w0, w1, w2, w3, x1, whole, width, sums + 4);
            Rest(w0, w1, w2, w3, x2, whole, width, sums + 8);
            Rest(w0, w1, w2, w3, x3, whole, width, sums + 12);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile2(byte* w0, byte* w1, byte* w2, byte* w3, float* x, int width, float* sums, byte* ahead, nint aheadStep)
    {
        var zero = TLanes.Broadcast(0);
        TVector a00 = zero, a01 = zero, a02 = zero, a03 = zero;
        TVector a10 = zero, a11 = zero, a12 = zero, a13 = zero;
        var x1 = x + width;
        nint block = 2 * TLanes.Count, whole = width / block * block;
        for (nint k = 0; k < whole; k += block)
        {
            Prefetch(ahead, aheadStep);
            ahead += aheadStep;
            var p0 = TElement.First<TLanes, TVector>(w0 + (k * TElement.Bytes));
            var p1 = TElement.First<TLanes, TVector>(w1 + (k * TElement.Bytes));
            var p2 = TElement.First<TLanes, TVector>(w2 + (k * TElement.Bytes));
            var p3 = TElement.First<TLanes, TVector>(w3 + (k * TElement.Bytes));
            var v = TLanes.Load(x + k);
            a00 = TLanes.MultiplyAdd(p0, v, a00);
            a01 = TLanes.MultiplyAdd(p1, v, a01);
            a02 = TLanes.MultiplyAdd(p2, v, a02);
            a03 = TLanes.MultiplyAdd(p3, v, a03);
            v = TLanes.Load(x1 + k);
            a10 = TLanes.MultiplyAdd(p0, v, a10);
            a11 = TLanes.MultiplyAdd(p1, v, a11);
            a12 = TLanes.MultiplyAdd(p2, v, a12);
            a13 = TLanes.MultiplyAdd(p3, v, a13);
            p0 = TElement.Second<TLanes, TVector>(w0 + (k * TElement.Bytes));
            p1 = TElement.Second<TLanes, TVector>(w1 + (k * TElement.Bytes));
            p2 = TElement.Second<TLanes, TVector>(w2 + (k * TElement.Bytes));
            p3 = TElement.Second<TLanes, TVector>(w3 + (k * TElement.Bytes));
            v = TLanes.Load(x + k + TLanes.Count);
            a00 = TLanes.MultiplyAdd(p0, v, a00);
            a01 = TLanes.MultiplyAdd(p1, v, a01);
            a02 = TLanes.MultiplyAdd(p2, v, a02);
            a03 = TLanes.MultiplyAdd(p3, v, a03);
            v = TLanes.Load(x1 + k + TLanes.Count);
            a10 = TLanes.MultiplyAdd(p0, v, a10);
            a11 = TLanes.MultiplyAdd(p1, v, a11);
            a12 = TLanes.MultiplyAdd(p2, v, a12);
            a13 = TLanes.MultiplyAdd(p3, v, a13);
        }

        TLanes.Sum4(a00, a01, a02, a03, sums);
        TLanes.Sum4(a10, a11, a12, a13, sums + 4);
        if (whole < width)
        {
            Rest(w0, w1, w2, w3, x, whole, width, sums);
            Rest(w0, w1, w2, w3, x1, whole, width, sums + 4);
        }
    }

    private static void Rest(byte* w0, byte* w1, byte* w2, byte* w3, float* row, nint whole, int width, float* sums)
    {
        for (var k = whole; k < width; k++)
        {
            sums[0] = MathF.FusedMultiplyAdd(TElement.Widen(w0 + (k * TElement.Bytes)), row[k], sums[0]);
            sums[1] = MathF.FusedMultiplyAdd(TElement.Widen(w1 + (k * TElement.Bytes)), row[k], sums[1]);
            sums[2] = MathF.FusedMultiplyAdd(TElement.Widen(w2 + (k * TElement.Bytes)), row[k], sums[2]);
            sums[3] = MathF.FusedMultiplyAdd(TElement.Widen(w3 + (k * TElement.Bytes)), row[k], sums[3]);
        }
    }
}
