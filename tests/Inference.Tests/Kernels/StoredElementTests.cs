using CsCheck;

namespace Granary.Inference.Tests.Kernels;

/// <summary>Stored elements, and rows laid out to meet them: values are moved whatever they mean, and rounded once.</summary>
public sealed class StoredElementTests
{
    private static readonly int[] Lengths = [int.MaxValue / sizeof(float), 13]; // all at once, and with many behind whole vectors

    public static TheoryData<string, int> Sets() => KernelSets.All();

    [Theory, MemberData(nameof(Sets))]
    public void Pack_AnyBits_IsTheScalarTwinToTheBit(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        var twins = new ScalarTwins(KernelSets.Lanes(set));
        Gen.UInt.Array[1, 200].Sample(bits =>
        {
            float[] row = [.. bits.Select(BitConverter.UInt32BitsToSingle)];
            Assert.Equal(MultiplyTests.Bits(twins.Pack(row, bytes)), MultiplyTests.Bits(KernelSets.Pack(kernels, row, row.Length)));
        });
    }

    [Theory, MemberData(nameof(Sets))]
    public unsafe void Unpack_OfPack_IsTheRow(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        foreach (var width in (int[])[1, 16, 32, 80, 129])
        {
            var row = KernelSets.Special(width, width);
            var back = new float[width];
            fixed (float* packed = KernelSets.Pack(kernels, row, width), to = back)
            {
                kernels.Unpack(packed, width, to);
            }

            Assert.Equal(MultiplyTests.Bits(row), MultiplyTests.Bits(back));
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Widen_AnyBits_IsTheScalarTwinToTheBit(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        Gen.Byte.Array[1, 400].Where(stored => stored.Length % bytes == 0).Sample(stored =>
            Assert.Equal(MultiplyTests.Bits(ScalarTwins.Widen(stored, bytes)), MultiplyTests.Bits(KernelSets.Widen(kernels, stored))));
    }

    [Theory, MemberData(nameof(KernelSets.Names), MemberType = typeof(KernelSets))]
    public void Widen_EveryBFloat16_IsTheUpperHalfOfAFloat32(string set)
    {
        byte[] stored = [.. Enumerable.Range(0, 1 << 16).SelectMany(bits => BitConverter.GetBytes((ushort)bits))];
        foreach (var length in Lengths)
        {
            float[] widened = [.. stored.Chunk(length * sizeof(ushort)).SelectMany(part => KernelSets.Widen(KernelSets.Of(set, sizeof(ushort)), part))];
            Assert.True(MultiplyTests.Bits(widened).SequenceEqual(Enumerable.Range(0, 1 << 16).Select(bits => bits << 16)));
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
    public void Narrow_AnyBits_IsTheScalarTwinToTheBit(string set, int bytes)
    {
        var kernels = KernelSets.Of(set, bytes);
        Gen.UInt.Array[1, 100].Sample(bits =>
        {
            float[] values = [.. bits.Select(BitConverter.UInt32BitsToSingle)];
            Assert.Equal(ScalarTwins.Store(values, bytes), KernelSets.Store(kernels, values));
        });
    }

    // Between all neighbours: on them, beside them, in the middle and beside the middle.
    [Theory, MemberData(nameof(Sets))]
    public void Narrow_AroundEveryBFloat16_IsTheScalarTwinToTheBit(string set, int bytes)
    {
        uint[] rests = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff];
        float[] values = [.. Enumerable.Range(0, 1 << 16).SelectMany(upper => rests.Select(rest => BitConverter.UInt32BitsToSingle(((uint)upper << 16) | rest)))];
        var expected = ScalarTwins.Store(values, bytes);
        foreach (var length in Lengths)
        {
            Assert.True(values.Chunk(length).SelectMany(part => KernelSets.Store(KernelSets.Of(set, bytes), part)).SequenceEqual(expected));
        }
    }
}
