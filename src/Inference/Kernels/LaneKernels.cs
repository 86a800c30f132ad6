using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Granary.Inference.Kernels;

/// <summary>The kernels, compiled for each instruction set and stored element.</summary>
/// <remarks>
/// A product is one chain of fused multiply-adds for each lane, in order of the blocks, then the lanes' sum, then what is behind the last whole block,
/// element by element. A tile only chooses how many such chains run side by side, so the order is the same in all of them.
/// </remarks>
internal sealed unsafe class LaneKernels<TLanes, TVector, TElement> : RowKernels
    where TLanes : struct, ILanes<TVector>
    where TVector : struct
    where TElement : struct, IElement
{
    private const int Outputs = 4;  // of a tile
    private const int CacheLine = 64;
    private const int AheadTokens = 64; // of a run that is about to be read
    private const int SoftmaxTokens = 64; // scores that one softmax step takes; cut from the start of a run, so they are the same for all rows

    public override string InstructionSet { get; } = typeof(TLanes).Name switch
    {
        nameof(Avx512Lanes) => "avx512",
        nameof(Avx2Lanes) => "avx2",
        _ => "vector" + TLanes.Count,
    };

    public override int ElementBytes => TElement.Bytes;

    public override bool Packs => TElement.Place(1, TLanes.Count) != 1;

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
        for (var n = first; n < end; n += Outputs)
        {
            var outputs = Math.Min(Outputs, end - n);
            var w0 = weight + ((long)n * width * TElement.Bytes);
            var w1 = outputs > 1 ? w0 + ((long)width * TElement.Bytes) : w0;
            var w2 = outputs > 2 ? w1 + ((long)width * TElement.Bytes) : w0;
            var w3 = outputs > 3 ? w2 + ((long)width * TElement.Bytes) : w0;
            var (ahead, aheadEnd) = n + Outputs < end ? (tileBytes, 2 * tileBytes) : (0, 0);
            for (var row = 0; row < count;)
            {
                var taken = Products(w0, w1, w2, w3, rows + ((long)row * width), count - row, width, sums, w0 + ahead, ahead < aheadEnd ? aheadStep : 0);
                ahead += aheadStep * (width / (2 * TLanes.Count));
                for (var tileRow = 0; tileRow < taken; tileRow++, row++)
                {
                    Keep(sums + (tileRow * Outputs), bias is null ? null : bias + n, outputs, target + ((long)row * stride) + n);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Attend(float* queries, int count, byte* keys, byte* values, int tokens, int headDim, float* states, int stateStride)
    {
        var scores = stackalloc float[MaxAttendedRows * SoftmaxTokens];
        var tokenBytes = (long)headDim * TElement.Bytes;
        for (var start = 0; start < tokens; start += SoftmaxTokens)
        {
            var step = Math.Min(SoftmaxTokens, tokens - start);
            Score(keys + (start * tokenBytes), queries, count, headDim, scores, step, values + (start * tokenBytes));
            for (var row = 0; row < count; row++)
            {
                Weigh(scores + (row * SoftmaxTokens), step, states + ((long)row * stateStride), headDim);
            }

            Mix(scores, count, values + (start * tokenBytes), step, headDim, states + StateSums, stateStride, keys + ((start + step) * tokenBytes), start + step < tokens);
        }
    }

    public override void Pack(float* row, int width, float* packed)
    {
        var block = 2 * TLanes.Count;
        var whole = width / block * block;
        for (var start = 0; start < whole; start += block)
        {
            for (var index = 0; index < block; index++)
            {
                packed[start + TElement.Place(index, TLanes.Count)] = row[start + index];
            }
        }

        for (var index = whole; index < width; index++)
        {
            packed[index] = row[index];
        }
    }

    public override void Unpack(float* packed, int width, float* row)
    {
        var block = 2 * TLanes.Count;
        var whole = width / block * block;
        for (var start = 0; start < whole; start += block)
        {
            for (var index = 0; index < block; index++)
            {
                row[start + index] = packed[start + TElement.Place(index, TLanes.Count)];
            }
        }

        for (var index = whole; index < width; index++)
        {
            row[index] = packed[index];
        }
    }

    public override void Widen(byte* elements, int count, float* row)
    {
        for (var index = 0; index < count; index++)
        {
            row[index] = TElement.Widen(elements + ((long)index * TElement.Bytes));
        }
    }

    public override void Narrow(float* row, int count, byte* elements)
    {
        TElement.Narrow(new ReadOnlySpan<float>(row, count), elements);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Normalize(float* row, int width, float* scale, float* bias, float epsilon, float* target)
    {
        var mean = TLanes.Broadcast(Sum(row, width) / width);
        var whole = width / TLanes.Count * TLanes.Count;
        for (var index = 0; index < whole; index += TLanes.Count)
        {
            TLanes.Store(TLanes.Subtract(TLanes.Load(row + index), mean), target + index);
        }

        for (var index = whole; index < width; index++)
        {
            target[index] = row[index] - First(mean);
        }

        var factor = 1 / MathF.Sqrt((SumOfSquares(target, width) / width) + epsilon);
        for (var index = 0; index < whole; index += TLanes.Count)
        {
            var centred = TLanes.Multiply(TLanes.Load(target + index), TLanes.Broadcast(factor));
            TLanes.Store(TLanes.MultiplyAdd(centred, TLanes.Load(scale + index), TLanes.Load(bias + index)), target + index);
        }

        for (var index = whole; index < width; index++)
        {
            target[index] = MathF.FusedMultiplyAdd(target[index] * factor, scale[index], bias[index]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Gelu(float* row, int count)
    {
        var rest = stackalloc float[TLanes.Count];
        var index = 0;
        for (; index + TLanes.Count <= count; index += TLanes.Count)
        {
            TLanes.Store(Gelu(TLanes.Load(row + index)), row + index);
        }

        if (index < count)
        {
            Fill(row + index, count - index, 0, rest);
            TLanes.Store(Gelu(TLanes.Load(rest)), rest);
            new ReadOnlySpan<float>(rest, count - index).CopyTo(new Span<float>(row + index, count - index));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void GeluTanh(float* row, int count)
    {
        var rest = stackalloc float[TLanes.Count];
        var index = 0;
        for (; index + TLanes.Count <= count; index += TLanes.Count)
        {
            TLanes.Store(GeluTanh(TLanes.Load(row + index)), row + index);
        }

        if (index < count)
        {
            Fill(row + index, count - index, 0, rest);
            TLanes.Store(GeluTanh(TLanes.Load(rest)), rest);
            new ReadOnlySpan<float>(rest, count - index).CopyTo(new Span<float>(row + index, count - index));
        }
    }

    // tanh |u| = (1 - e^(-2 |u|)) / (1 + e^(-2 |u|)): the math library's own differs from one version of it to the next.
    private static TVector GeluTanh(TVector value)
    {
        var one = TLanes.Broadcast(1);
        var cube = TLanes.Multiply(TLanes.Multiply(value, value), value);
        var argument = TLanes.Multiply(TLanes.MultiplyAdd(cube, TLanes.Broadcast(0.044715f), value), TLanes.Broadcast(0.7978845608f)); // sqrt(2 / pi)
        var decay = TLanes.Exp(TLanes.Multiply(TLanes.Abs(argument), TLanes.Broadcast(-2)));
        var tanh = TLanes.CopySign(TLanes.Divide(TLanes.Subtract(one, decay), TLanes.Add(one, decay)), argument);
        return TLanes.Multiply(TLanes.Multiply(value, TLanes.Broadcast(0.5f)), TLanes.Add(one, tanh));
    }

    private static TVector Gelu(TVector value)
    {
        var argument = TLanes.Multiply(value, TLanes.Broadcast(0.70710678f));
        var magnitude = TLanes.Abs(argument);
        var one = TLanes.Broadcast(1);
        var t = TLanes.Divide(one, TLanes.MultiplyAdd(magnitude, TLanes.Broadcast(0.3275911f), one));
        var polynomial = TLanes.MultiplyAdd(t, TLanes.Broadcast(1.061405429f), TLanes.Broadcast(-1.453152027f));
        polynomial = TLanes.MultiplyAdd(polynomial, t, TLanes.Broadcast(1.421413741f));
        polynomial = TLanes.MultiplyAdd(polynomial, t, TLanes.Broadcast(-0.284496736f));
        polynomial = TLanes.Multiply(TLanes.MultiplyAdd(polynomial, t, TLanes.Broadcast(0.254829592f)), t);
        var decay = TLanes.Exp(TLanes.Subtract(TLanes.Broadcast(0), TLanes.Multiply(magnitude, magnitude)));
        var error = TLanes.CopySign(TLanes.Subtract(one, TLanes.Multiply(polynomial, decay)), argument);
        return TLanes.Multiply(TLanes.Multiply(value, TLanes.Broadcast(0.5f)), TLanes.Add(one, error));
    }

    public override void Prefetch(byte* keys, int tokens, int headDim) => Prefetch(keys, (nint)Math.Min(tokens, AheadTokens) * headDim * TElement.Bytes);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Weigh(float* scores, int tokens, float* state, int headDim)
    {
        var highest = MathF.Max(state[0], Highest(scores, tokens));

        if (highest > state[0])
        {
            var decay = First(TLanes.Exp(TLanes.Broadcast(state[0] - highest))); // exp(-infinity) is 0 for a state that has seen nothing
            state[1] *= decay;
            TensorPrimitives.Multiply(new ReadOnlySpan<float>(state + StateSums, headDim), decay, new Span<float>(state + StateSums, headDim));

            state[0] = highest;
        }

        var maximum = TLanes.Broadcast(highest);
        var padded = (tokens + TLanes.Count - 1) / TLanes.Count * TLanes.Count;
        for (var token = tokens; token < padded; token++)
        {
            scores[token] = float.NegativeInfinity; // weighs nothing
        }

        var sum = TLanes.Broadcast(0);
        for (var token = 0; token < padded; token += TLanes.Count)
        {
            var weight = TLanes.Exp(TLanes.Subtract(TLanes.Load(scores + token), maximum));
            TLanes.Store(weight, scores + token);
            sum = TLanes.Add(sum, weight);
        }

        state[1] += Sum(sum);
    }

    // Keys times queries. Keys and values are two streams taken in turns, which memory cannot foresee: each fetches the other's next stretch.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Score(byte* keys, float* queries, int count, int headDim, float* scores, int tokens, byte* ahead)
    {
        var sums = stackalloc float[4 * Outputs];
        var keyBytes = (nint)headDim * TElement.Bytes;
        for (var token = 0; token < tokens; token += Outputs, keys += Outputs * keyBytes, ahead += Outputs * keyBytes)
        {
            var taken = Math.Min(Outputs, tokens - token);
            Prefetch(ahead, taken * keyBytes);
            var k1 = taken > 1 ? keys + keyBytes : keys;
            var k2 = taken > 2 ? k1 + keyBytes : keys;
            var k3 = taken > 3 ? k2 + keyBytes : keys;
            for (var row = 0; row < count;)
            {
                var rows = Products(keys, k1, k2, k3, queries + ((long)row * headDim), count - row, headDim, sums, null, 0);
                for (var tileRow = 0; tileRow < rows; tileRow++, row++)
                {
                    Keep(sums + (tileRow * Outputs), null, taken, scores + (row * SoftmaxTokens) + token);
                }
            }
        }
    }

    // Adds weighted values to the states, four rows and one block of channels at a time, or one row and two.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Mix(float* weights, int count, byte* values, int tokens, int headDim, float* sums, int stateStride, byte* ahead, bool hasAhead)
    {
        var block = 2 * TLanes.Count;
        var whole = headDim / block * block;
        var aheadStep = hasAhead ? (nint)headDim * TElement.Bytes : 0;
        var start = 0;
        if (count == 1 && whole >= 2 * block)
        {
            for (; start + (2 * block) <= whole; start += 2 * block)
            {
                MixWideTile1(weights, values + ((long)start * TElement.Bytes), tokens, headDim, sums + start, ahead, start == 0 ? aheadStep : 0);
            }
        }

        for (var channel = start; channel < whole; channel += block)
        {
            var step = channel == 0 ? aheadStep : 0;
            var column = values + ((long)channel * TElement.Bytes);
            var row = 0;
            if (TLanes.Count > 8 && count == 4)
            {
                MixTile4(weights, column, tokens, headDim, sums + channel, stateStride, ahead, step);
                row = 4;
            }

            for (; row < count; row++)
            {
                MixTile1(weights + (row * SoftmaxTokens), column, tokens, headDim, sums + ((long)row * stateStride) + channel, ahead, row == 0 ? step : 0);
            }
        }

        for (var row = 0; whole < headDim && row < count; row++)
        {
            for (var channel = whole; channel < headDim; channel++)
            {
                var sum = sums[((long)row * stateStride) + channel];
                for (var token = 0; token < tokens; token++)
                {
                    sum = MathF.FusedMultiplyAdd(weights[(row * SoftmaxTokens) + token], TElement.Widen(values + ((((long)token * headDim) + channel) * TElement.Bytes)), sum);
                }

                sums[((long)row * stateStride) + channel] = sum;
            }
        }
    }

    // Whole cache lines of the values at once, and twice as many chains of sums.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MixWideTile1(float* weights, byte* values, int tokens, int headDim, float* sums, byte* ahead, nint aheadStep)
    {
        var block = (nint)2 * TLanes.Count;
        TVector first = TLanes.Load(sums), second = TLanes.Load(sums + TLanes.Count);
        TVector third = TLanes.Load(sums + block), fourth = TLanes.Load(sums + block + TLanes.Count);
        for (var token = 0; token < tokens; token++)
        {
            Prefetch(ahead, aheadStep);
            ahead += aheadStep;
            var weight = TLanes.Broadcast(weights[token]);
            first = TLanes.MultiplyAdd(weight, TElement.First<TLanes, TVector>(values), first);
            second = TLanes.MultiplyAdd(weight, TElement.Second<TLanes, TVector>(values), second);
            third = TLanes.MultiplyAdd(weight, TElement.First<TLanes, TVector>(values + (block * TElement.Bytes)), third);
            fourth = TLanes.MultiplyAdd(weight, TElement.Second<TLanes, TVector>(values + (block * TElement.Bytes)), fourth);
            values += (nint)headDim * TElement.Bytes;
        }

        TLanes.Store(first, sums);
        TLanes.Store(second, sums + TLanes.Count);
        TLanes.Store(third, sums + block);
        TLanes.Store(fourth, sums + block + TLanes.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MixTile1(float* weights, byte* values, int tokens, int headDim, float* sums, byte* ahead, nint aheadStep)
    {
        var first = TLanes.Load(sums);
        var second = TLanes.Load(sums + TLanes.Count);
        for (var token = 0; token < tokens; token++)
        {
            Prefetch(ahead, aheadStep);
            ahead += aheadStep;
            var block = values + ((long)token * headDim * TElement.Bytes);
            var weight = TLanes.Broadcast(weights[token]);
            first = TLanes.MultiplyAdd(weight, TElement.First<TLanes, TVector>(block), first);
            second = TLanes.MultiplyAdd(weight, TElement.Second<TLanes, TVector>(block), second);
        }

        TLanes.Store(first, sums);
        TLanes.Store(second, sums + TLanes.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MixTile4(float* weights, byte* values, int tokens, int headDim, float* sums, int stateStride, byte* ahead, nint aheadStep)
    {
        float* sums1 = sums + stateStride, sums2 = sums1 + stateStride, sums3 = sums2 + stateStride;
        TVector first0 = TLanes.Load(sums), first1 = TLanes.Load(sums1), first2 = TLanes.Load(sums2), first3 = TLanes.Load(sums3);
        TVector second0 = TLanes.Load(sums + TLanes.Count), second1 = TLanes.Load(sums1 + TLanes.Count);
        TVector second2 = TLanes.Load(sums2 + TLanes.Count), second3 = TLanes.Load(sums3 + TLanes.Count);
        for (var token = 0; token < tokens; token++)
        {
            Prefetch(ahead, aheadStep);
            ahead += aheadStep;
            var block = values + ((long)token * headDim * TElement.Bytes);
            var first = TElement.First<TLanes, TVector>(block);
            var second = TElement.Second<TLanes, TVector>(block);
            var weight = TLanes.Broadcast(weights[token]);
            first0 = TLanes.MultiplyAdd(weight, first, first0);
            second0 = TLanes.MultiplyAdd(weight, second, second0);
            weight = TLanes.Broadcast(weights[SoftmaxTokens + token]);
            first1 = TLanes.MultiplyAdd(weight, first, first1);
            second1 = TLanes.MultiplyAdd(weight, second, second1);
            weight = TLanes.Broadcast(weights[(2 * SoftmaxTokens) + token]);
            first2 = TLanes.MultiplyAdd(weight, first, first2);
            second2 = TLanes.MultiplyAdd(weight, second, second2);
            weight = TLanes.Broadcast(weights[(3 * SoftmaxTokens) + token]);
            first3 = TLanes.MultiplyAdd(weight, first, first3);
            second3 = TLanes.MultiplyAdd(weight, second, second3);
        }

        TLanes.Store(first0, sums);
        TLanes.Store(second0, sums + TLanes.Count);
        TLanes.Store(first1, sums1);
        TLanes.Store(second1, sums1 + TLanes.Count);
        TLanes.Store(first2, sums2);
        TLanes.Store(second2, sums2 + TLanes.Count);
        TLanes.Store(first3, sums3);
        TLanes.Store(second3, sums3 + TLanes.Count);
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

    // While tiles compute, memory must not wait: they fetch the next outputs' weights, each tile its share, whole lines a block.
    private static nint AheadStep(nint tileBytes, int count, int width)
    {
        var blocks = (nint)Math.Max(1, count / TileRows) * (width / (2 * TLanes.Count));
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

        Tile1(w0, w1, w2, w3, rows, width, sums, ahead, aheadStep);
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(byte* w0, byte* w1, byte* w2, byte* w3, float* x, int width, float* sums, byte* ahead, nint aheadStep)
    {
        var zero = TLanes.Broadcast(0);
        TVector a00 = zero, a01 = zero, a02 = zero, a03 = zero;
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
            p0 = TElement.Second<TLanes, TVector>(w0 + (k * TElement.Bytes));
            p1 = TElement.Second<TLanes, TVector>(w1 + (k * TElement.Bytes));
            p2 = TElement.Second<TLanes, TVector>(w2 + (k * TElement.Bytes));
            p3 = TElement.Second<TLanes, TVector>(w3 + (k * TElement.Bytes));
            v = TLanes.Load(x + k + TLanes.Count);
            a00 = TLanes.MultiplyAdd(p0, v, a00);
            a01 = TLanes.MultiplyAdd(p1, v, a01);
            a02 = TLanes.MultiplyAdd(p2, v, a02);
            a03 = TLanes.MultiplyAdd(p3, v, a03);
        }

        TLanes.Sum4(a00, a01, a02, a03, sums);
        if (whole < width)
        {
            Rest(w0, w1, w2, w3, x, whole, width, sums);
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

    private static float Sum(float* row, int width)
    {
        var sum = TLanes.Broadcast(0);
        var whole = width / TLanes.Count * TLanes.Count;
        for (var index = 0; index < whole; index += TLanes.Count)
        {
            sum = TLanes.Add(sum, TLanes.Load(row + index));
        }

        var total = Sum(sum);
        for (var index = whole; index < width; index++)
        {
            total += row[index];
        }

        return total;
    }

    private static float SumOfSquares(float* row, int width)
    {
        var sum = TLanes.Broadcast(0);
        var whole = width / TLanes.Count * TLanes.Count;
        for (var index = 0; index < whole; index += TLanes.Count)
        {
            var value = TLanes.Load(row + index);
            sum = TLanes.MultiplyAdd(value, value, sum);
        }

        var total = Sum(sum);
        for (var index = whole; index < width; index++)
        {
            total = MathF.FusedMultiplyAdd(row[index], row[index], total);
        }

        return total;
    }

    // A NaN may be passed over: its weight is NaN all the same.
    private static float Highest(float* scores, int tokens)
    {
        var highest = TLanes.Broadcast(float.NegativeInfinity);
        var whole = tokens / TLanes.Count * TLanes.Count;
        for (var token = 0; token < whole; token += TLanes.Count)
        {
            highest = TLanes.Max(highest, TLanes.Load(scores + token));
        }

        var lanes = stackalloc float[TLanes.Count];
        TLanes.Store(highest, lanes);
        var result = float.NegativeInfinity;
        for (var lane = 0; lane < TLanes.Count; lane++)
        {
            result = MathF.Max(result, lanes[lane]);
        }

        for (var token = whole; token < tokens; token++)
        {
            result = MathF.Max(result, scores[token]);
        }

        return result;
    }

    private static float Sum(TVector vector)
    {
        var sums = stackalloc float[Outputs];
        TLanes.Sum4(vector, vector, vector, vector, sums);
        return sums[0];
    }

    private static float First(TVector vector)
    {
        var lanes = stackalloc float[TLanes.Count];
        TLanes.Store(vector, lanes);
        return lanes[0];
    }

    private static void Fill(float* source, int count, float padding, float* lanes)
    {
        for (var lane = 0; lane < TLanes.Count; lane++)
        {
            lanes[lane] = lane < count ? source[lane] : padding;
        }
    }
}
