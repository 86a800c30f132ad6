using CsCheck;
using Granary.Inference.Attention;
using Granary.Inference.Kernels;
using Granary.Inference.Tests.Kernels;

namespace Granary.Inference.Tests.Attention;

/// <summary>Causal attention in blocks: against softmax in double, and independent of the rows beside it.</summary>
public sealed class BlockAttentionTests
{
    public static TheoryData<string, int> Sets() => KernelSets.All();

    [Theory, MemberData(nameof(Sets))]
    public void Attend_RunsBeforeTheRows_IsCausalSoftmaxAttention(string set, int bytes)
    {
        foreach (var (headDim, past, rows) in new (int, int[], int)[] { (8, [], 1), (16, [], 40), (64, [256, 256], 13), (80, [5], 300), (256, [300, 1], 37) })
        {
            var sequence = new Sequence(set, bytes, headDim, past, rows, seed: headDim);

            var mixed = sequence.Attend(0, rows);

            var expected = sequence.Softmax();
            for (var index = 0; index < expected.Length; index++)
            {
                Assert.Equal(expected[index], mixed[index], 2e-5);
            }
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Attend_AnyRunsAndRows_IsTheScalarTwinToTheBit(string set, int bytes) =>
        Gen.Select(Gen.Int[1, 70], Gen.Int[1, 40], Gen.Int[1, 600], Gen.Int[0, 1000]).Sample(
            (headDim, rows, past, seed) =>
            {
                var sequence = new Sequence(set, bytes, headDim, [past], rows, seed);
                sequence.MakeValuesSpecial(seed);

                Assert.Equal(KernelSets.NumberBits(sequence.Twin(KernelSets.Lanes(set))), KernelSets.NumberBits(sequence.Attend(0, rows)));
            },
            iter: 20);

    [Theory, MemberData(nameof(Sets))]
    public void Attend_SomeOfTheRows_AreTheRowsOfAllToTheBit(string set, int bytes) =>
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 300], Gen.Int[0, 299], Gen.Int[0, 299], Gen.Int[0, 300], Gen.Int[0, 1000]).Sample(
            (headDim, rows, first, end, past, seed) =>
            {
                first = Math.Min(first, rows - 1);
                end = Math.Clamp(end, first + 1, rows);
                var sequence = new Sequence(set, bytes, headDim, [past], rows, seed);

                var all = sequence.Attend(0, rows);

                Assert.Equal(MultiplyTests.Bits(all[(first * headDim)..(end * headDim)]), MultiplyTests.Bits(sequence.Attend(first, end)));
            },
            iter: 30);

    [Theory, MemberData(nameof(Sets))]
    public void Attend_InfiniteValue_ReachesOnlyRowsThatSeeIt(string set, int bytes)
    {
        const int HeadDim = 32;
        foreach (var infinite in (int[])[1, 5, 12, 30, 39])
        {
            var sequence = new Sequence(set, bytes, HeadDim, [3], rows: 40, seed: infinite);
            var finite = sequence.Attend(0, 40);
            sequence.MakeValueInfinite(3 + infinite);

            var mixed = sequence.Attend(0, 40);

            Assert.Equal(MultiplyTests.Bits(finite[..(infinite * HeadDim)]), MultiplyTests.Bits(mixed[..(infinite * HeadDim)]));
            Assert.All(mixed[(infinite * HeadDim)..], value => Assert.False(float.IsFinite(value)));
        }
    }

    private sealed class Sequence
    {
        private readonly RowKernels _kernels;
        private readonly PanelKernels _panels;
        private readonly int _headDim;
        private readonly int[] _past;
        private readonly int _rows;
        private readonly float[] _queries;
        private readonly byte[] _keys;
        private readonly byte[] _values;

        public Sequence(string set, int bytes, int headDim, int[] past, int rows, int seed)
        {
            (_kernels, _panels) = (KernelSets.Of(set, bytes), KernelSets.PanelsOf(set, bytes));
            (_headDim, _past, _rows) = (headDim, past, rows);
            _queries = Array.ConvertAll(KernelSets.Random(rows * headDim, seed), value => value / MathF.Sqrt(headDim));
            _keys = KernelSets.Store(_kernels, KernelSets.Random((past.Sum() + rows) * headDim, seed + 1));
            _values = KernelSets.Store(_kernels, KernelSets.Random((past.Sum() + rows) * headDim, seed + 2));
        }

        public unsafe float[] Attend(int first, int end)
        {
            using var attention = new BlockAttention(_kernels, _panels, _headDim, threads: 1);
            var count = end - first;
            var states = new float[count * attention.StateStride];
            var mixed = new float[count * _headDim];
            fixed (byte* keys = _keys, values = _values)
            {
                fixed (float* queries = _queries, state = states, target = mixed)
                {
                    attention.Begin(state, count);
                    long token = 0;
                    var query = queries + (first * _headDim);
                    foreach (var run in _past)
                    {
                        var at = token * _headDim * _kernels.ElementBytes;
                        attention.Attend(query, _headDim, count, keys + at, values + at, run, run, state);
                        token += run;
                    }

                    var own = token * _headDim * _kernels.ElementBytes;
                    attention.Attend(query, _headDim, count, keys + own, values + own, end, first + 1, state);
                    for (var row = 0; row < count; row++)
                    {
                        attention.End(state + ((long)row * attention.StateStride), target + (row * _headDim));
                    }
                }
            }

            return mixed;
        }

        public void MakeValueInfinite(int token)
        {
            var infinities = KernelSets.Store(_kernels, [.. Enumerable.Repeat(float.PositiveInfinity, _headDim)]);
            infinities.CopyTo(_values.AsSpan(token * _headDim * _kernels.ElementBytes));
        }

        public void MakeValuesSpecial(int seed) =>
            ScalarTwins.Store(KernelSets.Special(_values.Length / _kernels.ElementBytes, seed), _kernels.ElementBytes).CopyTo(_values, 0);

        // A score is one chain in order of the channels, and a row's softmax takes blocks from each run's start.
        public float[] Twin(int lanes)
        {
            var (keys, values) = (ScalarTwins.Widen(_keys, _kernels.ElementBytes), ScalarTwins.Widen(_values, _kernels.ElementBytes));
            var mixed = new List<float>();
            for (var row = 0; row < _rows; row++)
            {
                var softmax = new ScalarSoftmax(lanes, _headDim);
                var run = 0;
                foreach (var seen in (int[])[.. _past, row + 1])
                {
                    for (var start = 0; start < seen; start += BlockAttention.BlockTokens)
                    {
                        var scores = new float[Math.Min(BlockAttention.BlockTokens, seen - start)];
                        for (var token = 0; token < scores.Length; token++)
                        {
                            for (var channel = 0; channel < _headDim; channel++)
                            {
                                scores[token] = MathF.FusedMultiplyAdd(_queries[(row * _headDim) + channel], keys[((run + start + token) * _headDim) + channel], scores[token]);
                            }
                        }

                        softmax.Step(scores, values.AsSpan((run + start) * _headDim));
                    }

                    run += seen;
                }

                mixed.AddRange(softmax.End());
            }

            return [.. mixed];
        }

        public double[] Softmax()
        {
            var (keys, values) = (KernelSets.Widen(_kernels, _keys), KernelSets.Widen(_kernels, _values));
            var mixed = new double[_rows * _headDim];
            for (var row = 0; row < _rows; row++)
            {
                var scores = new double[_past.Sum() + row + 1];
                for (var token = 0; token < scores.Length; token++)
                {
                    for (var channel = 0; channel < _headDim; channel++)
                    {
                        scores[token] += (double)_queries[(row * _headDim) + channel] * keys[(token * _headDim) + channel];
                    }
                }

                var weights = Array.ConvertAll(scores, score => Math.Exp(score - scores.Max()));
                var total = weights.Sum();
                for (var token = 0; token < weights.Length; token++)
                {
                    for (var channel = 0; channel < _headDim; channel++)
                    {
                        mixed[(row * _headDim) + channel] += weights[token] / total * values[(token * _headDim) + channel];
                    }
                }
            }

            return mixed;
        }
    }
}
