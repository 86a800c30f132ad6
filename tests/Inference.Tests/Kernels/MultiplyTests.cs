using CsCheck;
using Granary.Inference.Kernels;

namespace Granary.Inference.Tests.Kernels;

/// <summary>Products of rows: against a scalar twin, and independent of the rows beside them.</summary>
public sealed class MultiplyTests
{
    public static TheoryData<string, int> Sets() => KernelSets.All();

    [Theory, MemberData(nameof(Sets))]
    public void Multiply_AnyWidthAndOutputs_IsTheScalarTwinToTheBit(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        foreach (var width in (int[])[1, 16, 31, 32, 33, 48, 64, 80, 512])
        {
            foreach (var outputs in (int[])[1, 3, 4, 6, 9])
            {
                var weight = KernelSets.Store(kernels, KernelSets.Random(outputs * width, width));
                var rows = KernelSets.Random(5 * width, outputs);
                var bias = KernelSets.Random(outputs, 7);

                var products = Multiply(kernels, weight, bias, rows, 5, width, outputs);

                Assert.Equal(Bits(Twin(KernelSets.Widen(kernels, weight), bias, rows, 5, width, outputs, KernelSets.Lanes(set), bytes)), Bits(products));
            }
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public unsafe void Multiply_AnyRowsAndSomeOutputs_IsTheScalarTwinToTheBitAndLeavesTheRest(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        var twins = new ScalarTwins(KernelSets.Lanes(set));
        Gen.Select(Gen.Int[1, 13], Gen.Int[1, 200], Gen.Int[0, 5], Gen.Int[1, 11], Gen.Int[0, 3], Gen.Bool, Gen.Int[0, 1000]).Sample(
            (count, width, first, taken, behind, hasBias, seed) =>
            {
                var (end, stride) = (first + taken, first + taken + behind);
                var weight = ScalarTwins.Store(KernelSets.Special(stride * width, seed), bytes);
                var rows = KernelSets.Special(count * width, seed + 1);
                var bias = hasBias ? KernelSets.Special(stride, seed + 2) : null;
                var products = KernelSets.Random(count * stride, seed + 3);
                var expected = products.ToArray();
                var wide = ScalarTwins.Widen(weight, bytes);
                for (var index = 0; index < expected.Length; index++)
                {
                    var (row, output) = (index / stride, index % stride);
                    if (output >= first && output < end)
                    {
                        expected[index] = twins.Dot(wide.AsSpan(output * width, width), rows.AsSpan(row * width, width), bytes) + (bias?[output] ?? 0);
                    }
                }

                fixed (byte* matrix = weight)
                {
                    fixed (float* added = bias, packed = KernelSets.Pack(kernels, rows, width), target = products)
                    {
                        kernels.Multiply(matrix, added, packed, count, width, target, stride, first, end);
                    }
                }

                Assert.Equal(KernelSets.NumberBits(expected), KernelSets.NumberBits(products));
            },
            iter: 60);
    }

    [Theory, MemberData(nameof(Sets))]
    public void Multiply_RowOfABatch_IsTheRowAloneToTheBit(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        Gen.Select(Gen.Int[1, 13], Gen.Int[1, 70], Gen.Int[1, 11], Gen.Int[0, 1000]).Sample(
            (count, width, outputs, seed) =>
            {
                var weight = KernelSets.Store(kernels, KernelSets.Random(outputs * width, seed));
                var rows = KernelSets.Special(count * width, seed + 1);
                var together = Multiply(kernels, weight, null, rows, count, width, outputs);
                for (var row = 0; row < count; row++)
                {
                    var alone = Multiply(kernels, weight, null, rows[(row * width)..((row + 1) * width)], 1, width, outputs);
                    Assert.Equal(KernelSets.NumberBits(alone), KernelSets.NumberBits(together[(row * outputs)..((row + 1) * outputs)]));
                }
            },
            iter: 60);
    }

    [Theory, MemberData(nameof(Sets))]
    public unsafe void Multiply_OutputsCutAnywhere_SameBits(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        const int Width = 96;
        const int Outputs = 23;
        var weight = KernelSets.Store(kernels, KernelSets.Random(Outputs * Width, 3));
        var rows = KernelSets.Random(6 * Width, 4);
        var whole = Multiply(kernels, weight, null, rows, 6, Width, Outputs);
        for (var cut = 1; cut < Outputs; cut++)
        {
            var parts = new float[6 * Outputs];
            fixed (byte* matrix = weight)
            {
                fixed (float* packed = KernelSets.Pack(kernels, rows, Width), target = parts)
                {
                    kernels.Multiply(matrix, null, packed, 6, Width, target, Outputs, 0, cut);
                    kernels.Multiply(matrix, null, packed, 6, Width, target, Outputs, cut, Outputs);
                }
            }

            Assert.Equal(Bits(whole), Bits(parts));
        }
    }

    internal static int[] Bits(float[] values) => Array.ConvertAll(values, BitConverter.SingleToInt32Bits);

    private static unsafe float[] Multiply(RowKernels kernels, byte[] weight, float[]? bias, float[] rows, int count, int width, int outputs)
    {
        var products = new float[count * outputs];
        fixed (byte* matrix = weight)
        {
            fixed (float* added = bias, packed = KernelSets.Pack(kernels, rows, width), target = products)
            {
                kernels.Multiply(matrix, added, packed, count, width, target, outputs, 0, outputs);
            }
        }

        return products;
    }

    private static float[] Twin(float[] weight, float[] bias, float[] rows, int count, int width, int outputs, int lanes, int bytes)
    {
        var twins = new ScalarTwins(lanes);
        var products = new float[count * outputs];
        for (var row = 0; row < count; row++)
        {
            for (var output = 0; output < outputs; output++)
            {
                products[(row * outputs) + output] = twins.Dot(weight.AsSpan(output * width, width), rows.AsSpan(row * width, width), bytes) + bias[output];
            }
        }

        return products;
    }
}
