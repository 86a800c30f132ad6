using CsCheck;
using Granary.Inference.Kernels;

namespace Granary.Inference.Tests.Kernels;

/// <summary>Panels and their products: against scalar twins, and independent of the rows beside them.</summary>
public sealed class PanelTests
{
    private const int Guard = 16; // floats behind a panel, which must stay as they are

    public static TheoryData<string, int> Sets() => KernelSets.All();

    [Theory, MemberData(nameof(Sets))]
    public unsafe void PackRows_AnyShapeAndBits_IsTheTransposeWithZerosBehind(string set, int bytes)
    {
        var panels = KernelSets.PanelsOf(set, bytes);
        Gen.Select(Gen.Int[1, 100], Gen.Int[0, 5], Gen.Int[1, panels.Outputs], Gen.Int[0, 1000]).Sample((width, behind, outputs, seed) =>
        {
            var stride = width + behind;
            var (weight, panel) = (Bits(outputs * stride * bytes, seed), Filled((width * panels.Outputs) + Guard));
            fixed (byte* from = weight)
            {
                fixed (float* to = panel)
                {
                    panels.PackRows(from, stride, outputs, width, to);
                }
            }

            var stored = ScalarTwins.Widen(weight, bytes);
            Assert.Equal(Panel(width, panels.Outputs, (row, output) => output < outputs ? stored[(output * stride) + row] : 0), MultiplyTests.Bits(panel));
        });
    }

    [Theory, MemberData(nameof(Sets))]
    public unsafe void PackColumns_AnyShapeAndBits_IsACopyWithZerosBehind(string set, int bytes)
    {
        var panels = KernelSets.PanelsOf(set, bytes);
        Gen.Select(Gen.Int[1, 50], Gen.Int[0, 5], Gen.Int[1, panels.Outputs], Gen.Int[0, 1000]).Sample((width, behind, outputs, seed) =>
        {
            var stride = outputs + behind;
            var (elements, panel) = (Bits(width * stride * bytes, seed), Filled((width * panels.Outputs) + Guard));
            fixed (byte* from = elements)
            {
                fixed (float* to = panel)
                {
                    panels.PackColumns(from, stride, outputs, width, to);
                }
            }

            var stored = ScalarTwins.Widen(elements, bytes);
            Assert.Equal(Panel(width, panels.Outputs, (row, output) => output < outputs ? stored[(row * stride) + output] : 0), MultiplyTests.Bits(panel));
        });
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
    public unsafe void Multiply_AnyStridesFromAStartOrOn_IsOneChainAnElementToTheBitAndLeavesTheRest(string set, int bytes)
    {
        var panels = KernelSets.PanelsOf(set, bytes);
        Gen.Select(Gen.Int[1, 30], Gen.Int[0, 70], Gen.Int[0, 5], Gen.Int[0, 5], Gen.Bool, Gen.Int[0, 1000]).Sample(
            (count, width, behind, targetBehind, hasStart, seed) =>
            {
                var (stride, targetStride) = (width + behind, panels.Outputs + targetBehind);
                var (rows, panel) = (KernelSets.Special(count * stride, seed), KernelSets.Special(width * panels.Outputs, seed + 1));
                var (start, target) = (hasStart ? KernelSets.Special(panels.Outputs, seed + 2) : null, KernelSets.Special(count * targetStride, seed + 3));
                var expected = target.ToArray();
                for (var index = 0; index < expected.Length; index++)
                {
                    var (row, output) = (index / targetStride, index % targetStride);
                    if (output < panels.Outputs)
                    {
                        expected[index] = Chain(rows.AsSpan(row * stride, width), panel, panels.Outputs, output, start?[output] ?? target[index]);
                    }
                }

                fixed (float* row = rows, packed = panel, before = start, product = target)
                {
                    panels.Multiply(row, stride, count, packed, width, before, product, targetStride);
                }

                Assert.Equal(KernelSets.NumberBits(expected), KernelSets.NumberBits(target));
            },
            iter: 60);
    }

    [Theory, MemberData(nameof(Sets))]
    public void Multiply_RowOfABatchOverAWidthCutAnywhere_IsTheRowAloneToTheBit(string set, int bytes)
    {
        var panels = KernelSets.PanelsOf(set, bytes);
        Gen.Select(Gen.Int[1, 30], Gen.Int[2, 70], Gen.Int[1, 69], Gen.Int[0, 1000]).Sample(
            (count, width, cut, seed) =>
            {
                cut = Math.Min(cut, width - 1);
                var rows = KernelSets.Special(count * width, seed);
                var panel = KernelSets.Random(width * panels.Outputs, seed + 1);
                var start = new float[panels.Outputs];
                var target = Multiply(panels, Columns(rows, width, 0, cut), count, cut, panel[..(cut * panels.Outputs)], start, new float[count * panels.Outputs]);
                var together = Multiply(panels, Columns(rows, width, cut, width), count, width - cut, panel[(cut * panels.Outputs)..], null, target);
                for (var row = 0; row < count; row++)
                {
                    var alone = Multiply(panels, rows[(row * width)..((row + 1) * width)], 1, width, panel, start, new float[panels.Outputs]);
                    Assert.Equal(KernelSets.NumberBits(alone), KernelSets.NumberBits(together[(row * panels.Outputs)..((row + 1) * panels.Outputs)]));
                }
            },
            iter: 60);
    }

    [Theory, MemberData(nameof(Sets))]
    public unsafe void Add_AnyRows_AddsAPanelOfEachToTheBitAndLeavesTheRest(string set, int bytes)
    {
        var panels = KernelSets.PanelsOf(set, bytes);
        Gen.Select(Gen.Int[0, 20], Gen.Int[0, 9], Gen.Int[0, 1000]).Sample((count, behind, seed) =>
        {
            var stride = panels.Outputs + behind;
            var (rows, target) = (KernelSets.Special(count * stride, seed), KernelSets.Special(count * stride, seed + 1));
            float[] expected = [.. target.Select((value, index) => index % stride < panels.Outputs ? rows[index] + value : value)];
            fixed (float* from = rows, to = target)
            {
                panels.Add(from, stride, count, to);
            }

            Assert.Equal(KernelSets.NumberBits(expected), KernelSets.NumberBits(target));
        });
    }

    private static byte[] Bits(int count, int seed)
    {
        var bits = new byte[count];
        new Random(seed).NextBytes(bits);
        return bits;
    }

    private static int[] Panel(int width, int outputs, Func<int, int, float> value) =>
        MultiplyTests.Bits([.. Enumerable.Range(0, width * outputs).Select(index => value(index / outputs, index % outputs)), .. Filled(Guard)]);

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

    private static float[] Twin(float[] rows, int count, int width, float[] panel, int outputs, float[] start) =>
        [.. Enumerable.Range(0, count * outputs).Select(index => Chain(rows.AsSpan(index / outputs * width, width), panel, outputs, index % outputs, start[index % outputs]))];

    private static float Chain(ReadOnlySpan<float> row, float[] panel, int outputs, int output, float sum)
    {
        for (var k = 0; k < row.Length; k++)
        {
            sum = MathF.FusedMultiplyAdd(row[k], panel[(k * outputs) + output], sum);
        }

        return sum;
    }
}
