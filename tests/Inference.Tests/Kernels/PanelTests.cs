using CsCheck;
using Granary.Inference.Kernels;

namespace Granary.Inference.Tests.Kernels;

/// <summary>Panels and their products: against scalar twins, and independent of the rows beside them.</summary>
public sealed class PanelTests
{
    public static TheoryData<string, int> Sets() => KernelSets.All();

    [Theory, MemberData(nameof(Sets))]
    public unsafe void PackRows_AnyShape_IsTheTransposeWithZerosBehind(string set, int bytes)
    {
        var panels = KernelSets.PanelsOf(set, bytes);
        var kernels = KernelSets.Of(set, bytes);
        foreach (var width in (int[])[1, 7, 8, 16, 31, 33, 80])
        {
            var stride = width + 3;
            for (var outputs = 1; outputs <= panels.Outputs; outputs++)
            {
                var weight = KernelSets.Store(kernels, KernelSets.Random(outputs * stride, width));
                var expected = KernelSets.Widen(kernels, weight);
                var panel = Filled(width * panels.Outputs);
                fixed (byte* from = weight)
                {
                    fixed (float* to = panel)
                    {
                        panels.PackRows(from, stride, outputs, width, to);
                    }
                }

                for (var index = 0; index < panel.Length; index++)
                {
                    var (row, output) = (index / panels.Outputs, index % panels.Outputs);
                    Assert.Equal(output < outputs ? expected[(output * stride) + row] : 0, panel[index]);
                }
            }
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public unsafe void PackColumns_AnyShape_IsACopyWithZerosBehind(string set, int bytes)
    {
        var panels = KernelSets.PanelsOf(set, bytes);
        var kernels = KernelSets.Of(set, bytes);
        const int Stride = 40;
        for (var outputs = 1; outputs <= panels.Outputs; outputs++)
        {
            var elements = KernelSets.Store(kernels, KernelSets.Random(9 * Stride, outputs));
            var expected = KernelSets.Widen(kernels, elements);
            var panel = Filled(9 * panels.Outputs);
            fixed (byte* from = elements)
            {
                fixed (float* to = panel)
                {
                    panels.PackColumns(from, Stride, outputs, 9, to);
                }
            }

            for (var index = 0; index < panel.Length; index++)
            {
                var (row, output) = (index / panels.Outputs, index % panels.Outputs);
                Assert.Equal(output < outputs ? expected[(row * Stride) + output] : 0, panel[index]);
            }
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Multiply_AnyRowsAndWidth_IsOneChainAnElementToTheBit(string set, int bytes)
    {
        var panels = KernelSets.PanelsOf(set, bytes);
        foreach (var width in (int[])[1, 2, 64, 513])
        {
            foreach (var count in (int[])[1, 3, 4, 5, 11, 12, 13, 29])
            {
                var rows = KernelSets.Random(count * width, width);
                var panel = KernelSets.Random(width * panels.Outputs, count);
                var start = KernelSets.Random(panels.Outputs, 5);

                var product = Multiply(panels, rows, count, width, panel, start, new float[count * panels.Outputs]);

                Assert.Equal(MultiplyTests.Bits(Twin(rows, count, width, panel, panels.Outputs, start)), MultiplyTests.Bits(product));
            }
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Multiply_RowOfABatchOverAWidthCutAnywhere_IsTheRowAloneToTheBit(string set, int bytes)
    {
        var panels = KernelSets.PanelsOf(set, bytes);
        Gen.Select(Gen.Int[1, 30], Gen.Int[2, 70], Gen.Int[1, 69], Gen.Int[0, 1000]).Sample(
            (count, width, cut, seed) =>
            {
                cut = Math.Min(cut, width - 1);
                var rows = KernelSets.Random(count * width, seed);
                var panel = KernelSets.Random(width * panels.Outputs, seed + 1);
                var start = new float[panels.Outputs];
                var target = Multiply(panels, Columns(rows, width, 0, cut), count, cut, panel[..(cut * panels.Outputs)], start, new float[count * panels.Outputs]);
                var together = Multiply(panels, Columns(rows, width, cut, width), count, width - cut, panel[(cut * panels.Outputs)..], null, target);
                for (var row = 0; row < count; row++)
                {
                    var alone = Multiply(panels, rows[(row * width)..((row + 1) * width)], 1, width, panel, start, new float[panels.Outputs]);
                    Assert.Equal(MultiplyTests.Bits(alone), MultiplyTests.Bits(together[(row * panels.Outputs)..((row + 1) * panels.Outputs)]));
                }
            },
            iter: 60);
    }

    [Theory, MemberData(nameof(Sets))]
    public unsafe void Add_Rows_AddsAPanelOfEach(string set, int bytes)
    {
        var panels = KernelSets.PanelsOf(set, bytes);
        var stride = panels.Outputs + 5;
        var (rows, target) = (KernelSets.Random(3 * stride, 1), KernelSets.Random(3 * stride, 2));
        var sums = (float[])target.Clone();
        fixed (float* from = rows, to = sums)
        {
            panels.Add(from, stride, 3, to);
        }

        for (var index = 0; index < sums.Length; index++)
        {
            Assert.Equal(index % stride < panels.Outputs ? rows[index] + target[index] : target[index], sums[index]);
        }
    }

    private static float[] Filled(int count)
    {
        var values = new float[count];
        Array.Fill(values, float.NaN);
        return values;
    }

    private static float[] Columns(float[] rows, int width, int first, int end) =>
        [.. rows.Where((_, index) => index % width >= first && index % width < end)];

    private static unsafe float[] Multiply(PanelKernels panels, float[] rows, int count, int width, float[] panel, float[]? start, float[] target)
    {
        fixed (float* row = rows, packed = panel, before = start, product = target)
        {
            panels.Multiply(row, width, count, packed, width, before, product, panels.Outputs);
        }

        return target;
    }

    private static float[] Twin(float[] rows, int count, int width, float[] panel, int outputs, float[] start)
    {
        var product = new float[count * outputs];
        for (var index = 0; index < product.Length; index++)
        {
            var (row, output) = (index / outputs, index % outputs);
            var sum = start[output];
            for (var k = 0; k < width; k++)
            {
                sum = MathF.FusedMultiplyAdd(rows[(row * width) + k], panel[(k * outputs) + output], sum);
            }

            product[index] = sum;
        }

        return product;
    }
}
