using CsCheck;
using Granary.Inference.Kernels;

namespace Granary.Inference.Tests.Kernels;

/// <summary>Norms, activations and stored elements.</summary>
public sealed class ElementwiseTests
{
    public static TheoryData<string, int> Sets() => KernelSets.All();

    [Theory, MemberData(nameof(Sets))]
    public void Normalize_AnyWidth_IsLayerNorm(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        foreach (var width in (int[])[1, 7, 16, 48, 100, 512])
        {
            float[] row = KernelSets.Random(width, 1), scale = KernelSets.Random(width, 2), bias = KernelSets.Random(width, 3), normal = new float[width];
            Normalize(kernels, row, scale, bias, normal);

            var mean = row.Average(static value => (double)value);
            var deviation = Math.Sqrt(row.Average(value => (value - mean) * (value - mean)) + 1e-5);
            for (var index = 0; index < width; index++)
            {
                Assert.Equal(((row[index] - mean) / deviation * scale[index]) + bias[index], normal[index], 1e-5);
            }
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Normalize_AnyRow_IsTheScalarTwinToTheBit(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        Gen.Select(Gen.Int[1, 300], Gen.Int[0, 1000]).Sample((width, seed) =>
        {
            float[] row = KernelSets.Random(width, seed), scale = KernelSets.Random(width, seed + 1), bias = KernelSets.Random(width, seed + 2), normal = new float[width];
            Normalize(kernels, row, scale, bias, normal);
            Assert.Equal(MultiplyTests.Bits(new ScalarTwins(KernelSets.Lanes(set)).Normalize(row, scale, bias, 1e-5f)), MultiplyTests.Bits(normal));
        });
    }

    [Theory, MemberData(nameof(Sets))]
    public void Gelu_AnyRow_IsTheScalarTwinToTheBit(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        Gen.Float[-20, 20].Array[1, 70].Sample(row =>
        {
            Assert.Equal(MultiplyTests.Bits(Array.ConvertAll(row, ScalarTwins.Gelu)), MultiplyTests.Bits(Apply(row, tanh: false)));
            Assert.Equal(MultiplyTests.Bits(Array.ConvertAll(row, ScalarTwins.GeluTanh)), MultiplyTests.Bits(Apply(row, tanh: true)));
        });

        unsafe float[] Apply(float[] row, bool tanh)
        {
            var result = row.ToArray();
            fixed (float* values = result)
            {
                if (tanh)
                {
                    kernels.GeluTanh(values, result.Length);
                }
                else
                {
                    kernels.Gelu(values, result.Length);
                }
            }

            return result;
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public unsafe void Gelu_AnyPlaceInARow_SameBitsAndNearTheFunction(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        for (var value = -6f; value <= 6; value += 0.37f)
        {
            var seen = new HashSet<int>();
            for (var place = 0; place < 37; place++)
            {
                var row = KernelSets.Random(37, place);
                row[place] = value;
                fixed (float* values = row)
                {
                    kernels.Gelu(values, row.Length);
                }

                seen.Add(BitConverter.SingleToInt32Bits(row[place]));
            }

            Assert.Equal(Gelu(value), BitConverter.Int32BitsToSingle(Assert.Single(seen)), 1e-6);
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public unsafe void GeluTanh_IsTheFormula(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        var row = KernelSets.Random(33, 5);
        var result = row.ToArray();
        fixed (float* values = result)
        {
            kernels.GeluTanh(values, result.Length);
        }

        for (var index = 0; index < row.Length; index++)
        {
            var value = (double)row[index];
            Assert.Equal(value * 0.5 * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (value + (0.044715 * value * value * value)))), result[index], 1e-6);
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public unsafe void Unpack_OfPack_IsTheRow(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        foreach (var width in (int[])[1, 16, 32, 80, 129])
        {
            var row = KernelSets.Random(width, width);
            var back = new float[width];
            fixed (float* packed = KernelSets.Pack(kernels, row, width), to = back)
            {
                kernels.Unpack(packed, width, to);
            }

            Assert.Equal(row, back);
        }
    }

    // Halfway cases go to the even neighbour; what is above the largest bfloat16 becomes infinity. As many values as two vectors have, and some behind them.
    [Theory, MemberData(nameof(Sets))]
    public void Narrow_InAVectorOrBehindIt_RoundsToNearestEven(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        float[] values = [1, 1 + (1f / 256), 1 + (3f / 256), -1 - (1f / 256), 3.3895314e38f, float.MaxValue, float.PositiveInfinity, float.NegativeInfinity, float.NaN, 0, -0f];
        float[] halves = [1, 1, 1 + (4f / 256), -1, 3.3895314e38f, float.PositiveInfinity, float.PositiveInfinity, float.NegativeInfinity, BitConverter.UInt32BitsToSingle(0x7fc00000), 0, -0f]; // one bit pattern for all that is no number
        values = [.. values, .. values, .. values, .. values];
        float[] expected = bytes == 2 ? [.. halves, .. halves, .. halves, .. halves] : values;

        var stored = KernelSets.Widen(kernels, KernelSets.Store(kernels, values));

        Assert.Equal(MultiplyTests.Bits(expected), MultiplyTests.Bits(stored));
    }

    [Theory, MemberData(nameof(Sets))]
    public void Narrow_AnyBits_AreThoseOfAValueAlone(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        Gen.UInt.Array[1, 100].Sample(bits =>
        {
            float[] values = [.. bits.Select(BitConverter.UInt32BitsToSingle)];
            byte[] alone = [.. values.SelectMany(value => KernelSets.Store(kernels, [value]))];
            Assert.Equal(alone, KernelSets.Store(kernels, values));
        });
    }

    private static unsafe void Normalize(RowKernels kernels, float[] row, float[] scale, float[] bias, float[] normal)
    {
        fixed (float* from = row, factor = scale, added = bias, to = normal)
        {
            kernels.Normalize(from, row.Length, factor, added, 1e-5f, to);
        }
    }

    // erf by its series, which converges for all arguments.
    private static double Gelu(double value)
    {
        var argument = value / Math.Sqrt(2);
        var (term, sum) = (argument, argument);
        for (var n = 1; n < 200; n++)
        {
            term *= -argument * argument / n;
            sum += term / ((2 * n) + 1);
        }

        return 0.5 * value * (1 + (2 / Math.Sqrt(Math.PI) * sum));
    }
}
