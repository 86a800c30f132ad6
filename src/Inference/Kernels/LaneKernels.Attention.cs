using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace Granary.Inference.Kernels;

// Attention of rows to a run of stored keys and values.
internal sealed unsafe partial class LaneKernels<TLanes, TVector, TElement>
    where TLanes : struct, ILanes<TVector>
    where TVector : struct
    where TElement : struct, IElement
{
    private const int AheadTokens = 64; // of a run that is about to be read
    private const int SoftmaxTokens = 64; // scores that one softmax step takes; cut from the start of a run, so they are the same for all rows

    public override void Prefetch(byte* keys, int tokens, int headDim) => Prefetch(keys, (nint)Math.Min(tokens, AheadTokens) * headDim * TElement.Bytes);

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

    // A NaN may be passed over: its weight is NaN all the same.
    private static float Highest(float* scores, int tokens)
    {
        var highest = TLanes.Broadcast(float.NegativeInfinity);
        var whole = tokens / TLanes.Count * TLanes.Count;
        for (var token = 0; token < whole; token += TLanes.Count)
        {
            highest = TLanes.Max(highest, TLanes.Load(scores + token));
        }

        var result = TLanes.Highest(highest);
        for (var token = whole; token < tokens; token++)
        {
            result = MathF.Max(result, scores[token]);
        }

        return result;
    }
}
