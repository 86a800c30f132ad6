using CsCheck;
using Granary.Inference.Kernels;

namespace Granary.Inference.Tests.Kernels;

/// <summary>Attention over runs of tokens: against softmax in double, and independent of the rows beside it.</summary>
public sealed class AttendTests
{
    public static TheoryData<string, int> Sets() => KernelSets.All();

    [Theory, MemberData(nameof(Sets))]
    public void Attend_OverSeveralRuns_IsSoftmaxAttention(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        foreach (var headDim in (int[])[8, 16, 64, 80, 256])
        {
            int[] runs = [1, 63, 64, 65, 200];
            var tokens = runs.Sum();
            var keys = KernelSets.Store(kernels, KernelSets.Random(tokens * headDim, 1));
            var values = KernelSets.Store(kernels, KernelSets.Random(tokens * headDim, 2));
            var queries = KernelSets.Random(3 * headDim, 3);

            var mixed = Attend(kernels, queries, 3, keys, values, runs, headDim);

            var expected = Softmax(queries, 3, KernelSets.Widen(kernels, keys), KernelSets.Widen(kernels, values), headDim);
            for (var index = 0; index < expected.Length; index++)
            {
                Assert.Equal(expected[index], mixed[index], 2e-5);
            }
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Attend_AnyRunsAndRows_IsTheScalarTwinToTheBit(string set, int bytes)
    {
        const int StepTokens = 64;
        var kernels = KernelSets.Of(set, bytes);
        var twins = new ScalarTwins(KernelSets.Lanes(set));
        Gen.Select(Gen.Int[1, RowKernels.MaxAttendedRows], Gen.Int[1, 150], Gen.Int[1, 80], Gen.Int[1, 140], Gen.Int[0, 1000]).Sample(
            (count, first, second, headDim, seed) =>
            {
                var keys = ScalarTwins.Store(KernelSets.Random((first + second) * headDim, seed), bytes);
                var values = ScalarTwins.Store(KernelSets.Special((first + second) * headDim, seed + 1), bytes);
                var queries = KernelSets.Special(count * headDim, seed + 2);

                var mixed = Attend(kernels, queries, count, keys, values, [first, second], headDim);

                var (wideKeys, wideValues) = (ScalarTwins.Widen(keys, bytes), ScalarTwins.Widen(values, bytes));
                for (var row = 0; row < count; row++)
                {
                    var softmax = new ScalarSoftmax(KernelSets.Lanes(set), headDim);
                    foreach (var (run, end) in ((int, int)[])[(0, first), (first, first + second)])
                    {
                        for (var start = run; start < end; start += StepTokens)
                        {
                            var scores = new float[Math.Min(StepTokens, end - start)];
                            for (var token = 0; token < scores.Length; token++)
                            {
                                scores[token] = twins.Dot(wideKeys.AsSpan((start + token) * headDim, headDim), queries.AsSpan(row * headDim, headDim), bytes);
                            }

                            softmax.Step(scores, wideValues.AsSpan(start * headDim));
                        }
                    }

                    Assert.Equal(KernelSets.NumberBits(softmax.End()), KernelSets.NumberBits(mixed[(row * headDim)..((row + 1) * headDim)]));
                }
            },
            iter: 40);
    }

    [Theory, MemberData(nameof(Sets))]
    public void Attend_RowOfAGroup_IsTheRowAloneToTheBit(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        Gen.Select(Gen.Int[1, RowKernels.MaxAttendedRows], Gen.Int[1, 150], Gen.Int[1, 90], Gen.Int[0, 1000]).Sample(
            (count, tokens, headDim, seed) =>
            {
                var keys = KernelSets.Store(kernels, KernelSets.Random(tokens * headDim, seed));
                var values = KernelSets.Store(kernels, KernelSets.Random(tokens * headDim, seed + 1));
                var queries = KernelSets.Special(count * headDim, seed + 2);
                var together = Attend(kernels, queries, count, keys, values, [tokens], headDim);
                for (var row = 0; row < count; row++)
                {
                    var alone = Attend(kernels, queries[(row * headDim)..((row + 1) * headDim)], 1, keys, values, [tokens], headDim);
                    Assert.Equal(KernelSets.NumberBits(alone), KernelSets.NumberBits(together[(row * headDim)..((row + 1) * headDim)]));
                }
            },
            iter: 60);
    }

    [Theory, MemberData(nameof(Sets))]
    public unsafe void Weigh_AnyScore_IsItsExponential(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        float[] scores = [0, -1e-8f, -0.34657359f, -0.34657362f, -87.33f, -87.34f, -1000, float.MinValue, float.NegativeInfinity, float.NaN, .. KernelSets.Random(2000, 1).Select(value => (value - 2) * 22)];
        foreach (var score in scores)
        {
            var weights = new float[16];
            weights[0] = score;
            var state = new float[RowKernels.StateSums + 1]; // its maximum is 0, so that the weight is e^score
            fixed (float* weight = weights, sums = state)
            {
                kernels.Weigh(weight, 1, sums, 1);
            }

            var expected = score < -87.33654f ? 0 : MathF.Exp(score);
            Assert.True(float.IsNaN(score) || BitConverter.SingleToInt32Bits(ScalarTwins.Exp(score)) == BitConverter.SingleToInt32Bits(weights[0]), $"e^{score:R} is {weights[0]:R}, not its scalar twin.");
            Assert.True(float.IsNaN(score) ? float.IsNaN(weights[0]) : Math.Abs(weights[0] - expected) <= 2.5e-7f * expected, $"e^{score:R} is {weights[0]:R}, not {expected:R}.");
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Weigh_AnyScoresAndState_IsTheScalarTwinToTheBit(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 300], Gen.Int[1, 70], Gen.Bool, Gen.Int[0, 100_000]).Sample((first, second, headDim, isSpecial, seed) =>
        {
            var softmax = new ScalarSoftmax(KernelSets.Lanes(set), headDim);
            var state = new float[RowKernels.StateSums + headDim];
            state[0] = softmax.Maximum;
            foreach (var tokens in (int[])[first, second])
            {
                var sums = KernelSets.Special(headDim, seed + tokens);
                sums.CopyTo(softmax.Sums, 0);
                sums.CopyTo(state, RowKernels.StateSums);
                var scores = Array.ConvertAll(isSpecial ? KernelSets.Special(tokens, seed) : KernelSets.Random(tokens, seed), static score => score * 25);

                var weights = Weigh(kernels, scores, state, KernelSets.Lanes(set));

                var expected = softmax.Weigh(scores);
                if (float.IsNaN(softmax.Sum))
                {
                    Assert.True(float.IsNaN(state[1])); // whatever the weights are: which maximum a set finds beside what is no number is not said
                    return;
                }

                Assert.Equal(softmax.Maximum, state[0]);
                Assert.Equal(KernelSets.NumberBits([softmax.Sum, .. softmax.Sums, .. expected]), KernelSets.NumberBits([state[1], .. state[RowKernels.StateSums..], .. weights[..tokens]]));
                Assert.All(weights[tokens..], static weight => Assert.Equal(0, BitConverter.SingleToInt32Bits(weight)));
            }
        });
    }

    // With what becomes of the last vector's rest.
    private static unsafe float[] Weigh(RowKernels kernels, float[] scores, float[] state, int lanes)
    {
        var weights = new float[(scores.Length + lanes - 1) / lanes * lanes];
        Array.Fill(weights, 3);
        scores.CopyTo(weights, 0);
        fixed (float* weight = weights, sums = state)
        {
            kernels.Weigh(weight, scores.Length, sums, state.Length - RowKernels.StateSums);
        }

        return weights;
    }

    private static unsafe float[] Attend(RowKernels kernels, float[] queries, int count, byte[] keys, byte[] values, int[] runs, int headDim)
    {
        var stride = RowKernels.StateSums + headDim;
        var states = new float[count * stride];
        var mixed = new float[count * headDim];
        for (var row = 0; row < count; row++)
        {
            states[row * stride] = float.NegativeInfinity;
        }

        fixed (byte* key = keys, value = values)
        {
            fixed (float* packed = KernelSets.Pack(kernels, queries, headDim), state = states, target = mixed)
            {
                long token = 0;
                foreach (var run in runs)
                {
                    var offset = token * headDim * kernels.ElementBytes;
                    kernels.Attend(packed, count, key + offset, value + offset, run, headDim, state, stride);
                    token += run;
                }

                for (var row = 0; row < count; row++)
                {
                    var sums = state + (row * stride) + RowKernels.StateSums;
                    for (var channel = 0; channel < headDim; channel++)
                    {
                        sums[channel] /= states[(row * stride) + 1];
                    }

                    kernels.Unpack(sums, headDim, target + (row * headDim));
                }
            }
        }

        return mixed;
    }

    private static double[] Softmax(float[] queries, int count, float[] keys, float[] values, int headDim)
    {
        var tokens = keys.Length / headDim;
        var mixed = new double[count * headDim];
        for (var row = 0; row < count; row++)
        {
            var scores = Enumerable.Range(0, tokens)
                .Select(token => Enumerable.Range(0, headDim).Sum(channel => (double)queries[(row * headDim) + channel] * keys[(token * headDim) + channel]))
                .ToArray();
            var weights = Array.ConvertAll(scores, score => Math.Exp(score - scores.Max()));
            for (var channel = 0; channel < headDim; channel++)
            {
                mixed[(row * headDim) + channel] = Enumerable.Range(0, tokens).Sum(token => weights[token] * values[(token * headDim) + channel]) / weights.Sum();
            }
        }

        return mixed;
    }
}
