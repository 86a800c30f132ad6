using CsCheck;
using Granary.Inference.Kernels;

namespace Granary.Inference.Tests.Kernels;

/// <summary>Norms and activations.</summary>
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
        Gen.Select(Gen.Int[1, 300], Gen.Bool, Gen.Int[0, 1000]).Sample((width, isSpecial, seed) =>
        {
            float[] row = isSpecial ? KernelSets.Special(width, seed) : KernelSets.Random(width, seed), scale = KernelSets.Special(width, seed + 1), bias = KernelSets.Special(width, seed + 2);
            var normal = new float[width];
            Normalize(kernels, row, scale, bias, normal);
            Assert.Equal(KernelSets.NumberBits(new ScalarTwins(KernelSets.Lanes(set)).Normalize(row, scale, bias, 1e-5f)), KernelSets.NumberBits(normal));
        });
    }

    [Theory, MemberData(nameof(Sets))]
    public void Gelu_AnyRow_IsTheScalarTwinToTheBit(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        float[] edges = [0, -0f, float.Epsilon, -float.Epsilon, float.PositiveInfinity, float.NegativeInfinity, float.NaN];
        Gen.OneOf(Gen.Float[-20, 20], Gen.Float, Gen.Int[0, edges.Length - 1].Select(index => edges[index])).Array[1, 70].Sample(row =>
        {
            Assert.Equal(KernelSets.NumberBits(Array.ConvertAll(row, ScalarTwins.Gelu)), KernelSets.NumberBits(Apply(row, tanh: false)));
            Assert.Equal(KernelSets.NumberBits(Array.ConvertAll(row, ScalarTwins.GeluTanh)), KernelSets.NumberBits(Apply(row, tanh: true)));
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
