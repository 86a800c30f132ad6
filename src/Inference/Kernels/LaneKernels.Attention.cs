using System.Runtime.CompilerServices;

namespace Granary.Inference.Kernels;

// Attention of rows to a run of stored keys and values.
internal sealed unsafe partial class LaneKernels<TLanes, TVector, TElement>
    where TLanes : struct, ILanes<TVector>
    where TVector : struct
    where TElement : struct, IElement
{
    private const int AheadTokens = 64; // of a run that is about to be read
    private const int ScoreTokens = 16; // of a tile
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
            Weigh(scores, count, step, states, stateStride, headDim);
            Mix(scores, count, values + (start * tokenBytes), step, headDim, states + StateSums, stateStride, keys + ((start + step) * tokenBytes), start + step < tokens);
        }
    }

    public override void Weigh(float* scores, int tokens, float* state, int headDim) => Weigh(scores, 1, tokens, state, 0, headDim);

    // A row's softmax is one chain of dependent operations; the rows go through each part of it together, so that the processor has several chains at hand.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh(float* scores, int count, int tokens, float* states, int stateStride, int headDim)
    {
        for (var row = 0; row < count; row++)
        {
            Raise(states + ((long)row * stateStride), Highest(scores + (row * SoftmaxTokens), tokens), headDim);
        }

        var padded = (tokens + TLanes.Count - 1) / TLanes.Count * TLanes.Count;
        for (var row = 0; row < count; row++)
        {
            var maximum = TLanes.Broadcast(states[(long)row * stateStride]);
            var rowScores = scores + (row * SoftmaxTokens);
            for (var token = tokens; token < padded; token++)
            {
                rowScores[token] = float.NegativeInfinity; // weighs nothing
            }

            for (var token = 0; token < padded; token += TLanes.Count)
            {
                TLanes.Store(TLanes.Exp(TLanes.Subtract(TLanes.Load(rowScores + token), maximum)), rowScores + token);
            }
        }

        for (var row = 0; row < count; row++)
        {
            var sum = TLanes.Broadcast(0);
            for (var token = 0; token < padded; token += TLanes.Count)
            {
                sum = TLanes.Add(sum, TLanes.Load(scores + (row * SoftmaxTokens) + token));
            }

            states[((long)row * stateStride) + 1] += TLanes.Sum(sum);
        }
    }

    // Scales a state to a higher maximum.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Raise(float* state, float highest, int headDim)
    {
        highest = MathF.Max(state[0], highest); // a NaN stays one
        if (highest > state[0])
        {
            var decay = TLanes.First(TLanes.Exp(TLanes.Broadcast(state[0] - highest))); // exp(-infinity) is 0 for a state that has seen nothing
            state[1] *= decay;
            Scale(state + StateSums, headDim, decay);
            state[0] = highest;
        }
    }

    // Keys times queries. Keys and values are two streams taken in turns, which memory cannot foresee: each fetches the other's next stretch.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Score(byte* keys, float* queries, int count, int headDim, float* scores, int tokens, byte* ahead)
    {
        var sums = stackalloc float[4 * Outputs];
        var keyBytes = (nint)headDim * TElement.Bytes;
        var first = 0;
        for (; TLanes.Count > 8 && first + ScoreTokens <= tokens; first += ScoreTokens, keys += ScoreTokens * keyBytes, ahead += ScoreTokens * keyBytes)
        {
            Prefetch(ahead, ScoreTokens * keyBytes);
            for (var row = 0; row < count; row++)
            {
                ScoreTile(keys, keyBytes, queries + ((long)row * headDim), headDim, scores + (row * SoftmaxTokens) + first);
            }
        }

        for (var token = first; token < tokens; token += Outputs, keys += Outputs * keyBytes, ahead += Outputs * keyBytes)
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

    // One row and as many tokens as there are sums; their chains and sums are those of the other tiles.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScoreTile(byte* keys, nint keyBytes, float* query, int headDim, float* scores)
    {
        var zero = TLanes.Broadcast(0);
        TVector a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero, a6 = zero, a7 = zero;
        TVector a8 = zero, a9 = zero, a10 = zero, a11 = zero, a12 = zero, a13 = zero, a14 = zero, a15 = zero;
        nint block = 2 * TLanes.Count, whole = headDim / block * block, blockBytes = block * TElement.Bytes;
        nint bytes2 = 2 * keyBytes, bytes3 = 3 * keyBytes;
        byte* k0 = keys, k4 = k0 + (4 * keyBytes), k8 = k4 + (4 * keyBytes), k12 = k8 + (4 * keyBytes);
        for (nint k = 0; k < whole; k += block, k0 += blockBytes, k4 += blockBytes, k8 += blockBytes, k12 += blockBytes)
        {
            TVector first = TLanes.Load(query + k), second = TLanes.Load(query + k + TLanes.Count);
            a0 = Add(k0, first, second, a0);
            a1 = Add(k0 + keyBytes, first, second, a1);
            a2 = Add(k0 + bytes2, first, second, a2);
            a3 = Add(k0 + bytes3, first, second, a3);
            a4 = Add(k4, first, second, a4);
            a5 = Add(k4 + keyBytes, first, second, a5);
            a6 = Add(k4 + bytes2, first, second, a6);
            a7 = Add(k4 + bytes3, first, second, a7);
            a8 = Add(k8, first, second, a8);
            a9 = Add(k8 + keyBytes, first, second, a9);
            a10 = Add(k8 + bytes2, first, second, a10);
            a11 = Add(k8 + bytes3, first, second, a11);
            a12 = Add(k12, first, second, a12);
            a13 = Add(k12 + keyBytes, first, second, a13);
            a14 = Add(k12 + bytes2, first, second, a14);
            a15 = Add(k12 + bytes3, first, second, a15);
        }

        TLanes.Sum16(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, scores);
        for (var token = 0; whole < headDim && token < ScoreTokens; token++)
        {
            for (var channel = whole; channel < headDim; channel++)
            {
                scores[token] = MathF.FusedMultiplyAdd(TElement.Widen(keys + (token * keyBytes) + (channel * TElement.Bytes)), query[channel], scores[token]);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Add(byte* block, TVector first, TVector second, TVector sum) =>
        TLanes.MultiplyAdd(TElement.Second<TLanes, TVector>(block), second, TLanes.MultiplyAdd(TElement.First<TLanes, TVector>(block), first, sum));

    // Adds weighted values to the states, four rows and one block of channels at a time, or one row and two blocks: fewer chains of sums would wait for each other.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Mix(float* weights, int count, byte* values, int tokens, int headDim, float* sums, int stateStride, byte* ahead, bool hasAhead)
    {
        var block = 2 * TLanes.Count;
        var whole = headDim / block * block;
        var aheadStep = hasAhead ? (nint)headDim * TElement.Bytes : 0;
        var start = 0;
        for (; count < MaxAttendedRows && start + (2 * block) <= whole; start += 2 * block)
        {
            for (var row = 0; row < count; row++)
            {
                var step = start == 0 && row == 0 ? aheadStep : 0;
                MixWideTile1(weights + (row * SoftmaxTokens), values + ((long)start * TElement.Bytes), tokens, headDim, sums + ((long)row * stateStride) + start, ahead, step);
            }
        }

        for (var channel = start; channel < whole; channel += block)
        {
            var step = channel == 0 ? aheadStep : 0;
            var column = values + ((long)channel * TElement.Bytes);
            var row = 0;
            if (TLanes.Count > 8 && count == MaxAttendedRows)
            {
                MixTile4(weights, column, tokens, headDim, sums + channel, stateStride, ahead, step);
                row = MaxAttendedRows;
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
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
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
