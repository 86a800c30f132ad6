using System.Runtime.CompilerServices;

namespace Granary.Inference.Kernels;

/// <summary>The kernels of panels, compiled for each instruction set and stored element.</summary>
internal sealed unsafe class LanePanelKernels<TLanes, TVector, TElement> : PanelKernels
    where TLanes : struct, ILanes<TVector>
    where TVector : struct
    where TElement : struct, IElement
{
    public override int Outputs => 2 * TLanes.Count;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void PackRows(byte* weight, int stride, int outputs, int width, float* panel)
    {
        var elements = sizeof(float) / TElement.Bytes; // that a 32-bit value holds
        for (var group = 0; group < 2; group++)
        {
            var rows = weight + ((long)group * TLanes.Count * stride * TElement.Bytes);
            var column = panel + (group * TLanes.Count);
            var taken = Math.Clamp(outputs - (group * TLanes.Count), 0, TLanes.Count);
            var whole = taken == TLanes.Count ? width / (elements * TLanes.Count) * elements * TLanes.Count : 0;
            for (var start = 0; start < whole; start += elements * TLanes.Count)
            {
                var target = column + ((long)start * Outputs);
                TLanes.Transpose(rows + ((long)start * TElement.Bytes), (nint)stride * TElement.Bytes, target, elements * Outputs);
                for (var pair = 0; elements == 2 && pair < TLanes.Count; pair++, target += 2 * Outputs)
                {
                    var (even, odd) = (TElement.First<TLanes, TVector>((byte*)target), TElement.Second<TLanes, TVector>((byte*)target));
                    TLanes.Store(even, target);
                    TLanes.Store(odd, target + Outputs);
                }
            }

            for (var index = whole; index < width; index++)
            {
                for (var output = 0; output < TLanes.Count; output++)
                {
                    column[((long)index * Outputs) + output] = output < taken ? TElement.Widen(rows + ((((long)output * stride) + index) * TElement.Bytes)) : 0;
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void PackColumns(byte* elements, int stride, int outputs, int width, float* panel)
    {
        var whole = outputs / TLanes.Count * TLanes.Count;
        for (var row = 0; row < width; row++, elements += (long)stride * TElement.Bytes, panel += Outputs)
        {
            for (var output = 0; output < whole; output += TLanes.Count)
            {
                TLanes.Store(TElement.Load<TLanes, TVector>(elements + ((long)output * TElement.Bytes)), panel + output);
            }

            for (var output = whole; output < Outputs; output++)
            {
                panel[output] = output < outputs ? TElement.Widen(elements + ((long)output * TElement.Bytes)) : 0;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Multiply(float* rows, nint stride, int count, float* panel, nint width, float* start, float* target, nint targetStride)
    {
        var row = 0;
        if (TLanes.Count > 8) // AVX-512 has 32 registers: 24 sums, 2 of the panel, 1 value. The others have 16.
        {
            for (; row + TileRows <= count; row += TileRows)
            {
                Tile12(rows + (row * stride), stride, panel, width, start, target + (row * targetStride), targetStride);
            }
        }

        for (; row + 4 <= count; row += 4)
        {
            Tile4(rows + (row * stride), stride, panel, width, start, target + (row * targetStride), targetStride);
        }

        for (; row < count; row++)
        {
            Tile1(rows + (row * stride), panel, width, start, target + (row * targetStride));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Add(float* rows, nint stride, int count, float* target)
    {
        for (var row = 0; row < count; row++, rows += stride, target += stride)
        {
            TLanes.Store(TLanes.Add(TLanes.Load(rows), TLanes.Load(target)), target);
            TLanes.Store(TLanes.Add(TLanes.Load(rows + TLanes.Count), TLanes.Load(target + TLanes.Count)), target + TLanes.Count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile12(float* rows, nint stride, float* panel, nint width, float* start, float* target, nint targetStride)
    {
        var startStride = start is null ? targetStride : 0;
        start = start is null ? target : start;
        TVector a0 = TLanes.Load(start), b0 = TLanes.Load(start + TLanes.Count);
        start += startStride;
        TVector a1 = TLanes.Load(start), b1 = TLanes.Load(start + TLanes.Count);
        start += startStride;
        TVector a2 = TLanes.Load(start), b2 = TLanes.Load(start + TLanes.Count);
        start += startStride;
        TVector a3 = TLanes.Load(start), b3 = TLanes.Load(start + TLanes.Count);
        start += startStride;
        TVector a4 = TLanes.Load(start), b4 = TLanes.Load(start + TLanes.Count);
        start += startStride;
        TVector a5 = TLanes.Load(start), b5 = TLanes.Load(start + TLanes.Count);
        start += startStride;
        TVector a6 = TLanes.Load(start), b6 = TLanes.Load(start + TLanes.Count);
        start += startStride;
        TVector a7 = TLanes.Load(start), b7 = TLanes.Load(start + TLanes.Count);
        start += startStride;
        TVector a8 = TLanes.Load(start), b8 = TLanes.Load(start + TLanes.Count);
        start += startStride;
        TVector a9 = TLanes.Load(start), b9 = TLanes.Load(start + TLanes.Count);
        start += startStride;
        TVector a10 = TLanes.Load(start), b10 = TLanes.Load(start + TLanes.Count);
        start += startStride;
        TVector a11 = TLanes.Load(start), b11 = TLanes.Load(start + TLanes.Count);
        var stride2 = 2 * stride;
        float* rows3 = rows + (3 * stride), rows6 = rows + (6 * stride), rows9 = rows + (9 * stride);
        var end = panel + (width * 2 * TLanes.Count);
        for (; panel < end; rows++, rows3++, rows6++, rows9++, panel += 2 * TLanes.Count)
        {
            TVector first = TLanes.Load(panel), second = TLanes.Load(panel + TLanes.Count);
            var value = TLanes.Broadcast(rows[0]);
            a0 = TLanes.MultiplyAdd(value, first, a0);
            b0 = TLanes.MultiplyAdd(value, second, b0);
            value = TLanes.Broadcast(rows[stride]);
            a1 = TLanes.MultiplyAdd(value, first, a1);
            b1 = TLanes.MultiplyAdd(value, second, b1);
            value = TLanes.Broadcast(rows[stride2]);
            a2 = TLanes.MultiplyAdd(value, first, a2);
            b2 = TLanes.MultiplyAdd(value, second, b2);
            value = TLanes.Broadcast(rows3[0]);
            a3 = TLanes.MultiplyAdd(value, first, a3);
            b3 = TLanes.MultiplyAdd(value, second, b3);
            value = TLanes.Broadcast(rows3[stride]);
            a4 = TLanes.MultiplyAdd(value, first, a4);
            b4 = TLanes.MultiplyAdd(value, second, b4);
            value = TLanes.Broadcast(rows3[stride2]);
            a5 = TLanes.MultiplyAdd(value, first, a5);
            b5 = TLanes.MultiplyAdd(value, second, b5);
            value = TLanes.Broadcast(rows6[0]);
            a6 = TLanes.MultiplyAdd(value, first, a6);
            b6 = TLanes.MultiplyAdd(value, second, b6);
            value = TLanes.Broadcast(rows6[stride]);
            a7 = TLanes.MultiplyAdd(value, first, a7);
            b7 = TLanes.MultiplyAdd(value, second, b7);
            value = TLanes.Broadcast(rows6[stride2]);
            a8 = TLanes.MultiplyAdd(value, first, a8);
            b8 = TLanes.MultiplyAdd(value, second, b8);
            value = TLanes.Broadcast(rows9[0]);
            a9 = TLanes.MultiplyAdd(value, first, a9);
            b9 = TLanes.MultiplyAdd(value, second, b9);
            value = TLanes.Broadcast(rows9[stride]);
            a10 = TLanes.MultiplyAdd(value, first, a10);
            b10 = TLanes.MultiplyAdd(value, second, b10);
            value = TLanes.Broadcast(rows9[stride2]);
            a11 = TLanes.MultiplyAdd(value, first, a11);
            b11 = TLanes.MultiplyAdd(value, second, b11);
        }

        TLanes.Store(a0, target);
        TLanes.Store(b0, target + TLanes.Count);
        target += targetStride;
        TLanes.Store(a1, target);
        TLanes.Store(b1, target + TLanes.Count);
        target += targetStride;
        TLanes.Store(a2, target);
        TLanes.Store(b2, target + TLanes.Count);
        target += targetStride;
        TLanes.Store(a3, target);
        TLanes.Store(b3, target + TLanes.Count);
        target += targetStride;
        TLanes.Store(a4, target);
        TLanes.Store(b4, target + TLanes.Count);
        target += targetStride;
        TLanes.Store(a5, target);
        TLanes.Store(b5, target + TLanes.Count);
        target += targetStride;
        TLanes.Store(a6, target);
        TLanes.Store(b6, target + TLanes.Count);
        target += targetStride;
        TLanes.Store(a7, target);
        TLanes.Store(b7, target + TLanes.Count);
        target += targetStride;
        TLanes.Store(a8, target);
        TLanes.Store(b8, target + TLanes.Count);
        target += targetStride;
        TLanes.Store(a9, target);
        TLanes.Store(b9, target + TLanes.Count);
        target += targetStride;
        TLanes.Store(a10, target);
        TLanes.Store(b10, target + TLanes.Count);
        target += targetStride;
        TLanes.Store(a11, target);
        TLanes.Store(b11, target + TLanes.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(float* rows, nint stride, float* panel, nint width, float* start, float* target, nint targetStride)
    {
        var startStride = start is null ? targetStride : 0;
        start = start is null ? target : start;
        TVector a0 = TLanes.Load(start), b0 = TLanes.Load(start + TLanes.Count);
        start += startStride;
        TVector a1 = TLanes.Load(start), b1 = TLanes.Load(start + TLanes.Count);
        start += startStride;
        TVector a2 = TLanes.Load(start), b2 = TLanes.Load(start + TLanes.Count);
        start += startStride;
        TVector a3 = TLanes.Load(start), b3 = TLanes.Load(start + TLanes.Count);
        nint stride2 = 2 * stride, stride3 = 3 * stride;
        var end = panel + (width * 2 * TLanes.Count);
        for (; panel < end; rows++, panel += 2 * TLanes.Count)
        {
            TVector first = TLanes.Load(panel), second = TLanes.Load(panel + TLanes.Count);
            var value = TLanes.Broadcast(rows[0]);
            a0 = TLanes.MultiplyAdd(value, first, a0);
            b0 = TLanes.MultiplyAdd(value, second, b0);
            value = TLanes.Broadcast(rows[stride]);
            a1 = TLanes.MultiplyAdd(value, first, a1);
            b1 = TLanes.MultiplyAdd(value, second, b1);
            value = TLanes.Broadcast(rows[stride2]);
            a2 = TLanes.MultiplyAdd(value, first, a2);
            b2 = TLanes.MultiplyAdd(value, second, b2);
            value = TLanes.Broadcast(rows[stride3]);
            a3 = TLanes.MultiplyAdd(value, first, a3);
            b3 = TLanes.MultiplyAdd(value, second, b3);
        }

        TLanes.Store(a0, target);
        TLanes.Store(b0, target + TLanes.Count);
        target += targetStride;
        TLanes.Store(a1, target);
        TLanes.Store(b1, target + TLanes.Count);
        target += targetStride;
        TLanes.Store(a2, target);
        TLanes.Store(b2, target + TLanes.Count);
        target += targetStride;
        TLanes.Store(a3, target);
        TLanes.Store(b3, target + TLanes.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(float* row, float* panel, nint width, float* start, float* target)
    {
        start = start is null ? target : start;
        TVector a = TLanes.Load(start), b = TLanes.Load(start + TLanes.Count);
        for (var end = row + width; row < end; row++, panel += 2 * TLanes.Count)
        {
            var value = TLanes.Broadcast(*row);
            a = TLanes.MultiplyAdd(value, TLanes.Load(panel), a);
            b = TLanes.MultiplyAdd(value, TLanes.Load(panel + TLanes.Count), b);
        }

        TLanes.Store(a, target);
        TLanes.Store(b, target + TLanes.Count);
    }
}
