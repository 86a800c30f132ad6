using System.Numerics;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Granary.Inference.Kernels;

namespace Granary.Inference.Tests.Kernels;

/// <summary>Every instruction set that this machine has, and 4, 8 and 16 lanes without any, with both stored elements.</summary>
internal static class KernelSets
{
    private static readonly Dictionary<string, LaneSet> Sets = new LaneSet[]
    {
        LaneSet.Of<Avx512Lanes, Vector512<float>>("avx512", Avx512F.IsSupported),
        LaneSet.Of<Avx2Lanes, Vector256<float>>("avx2", Avx2.IsSupported && Fma.IsSupported),
        LaneSet.Of<PortableLanes, Vector<float>>("vector"),
        LaneSet.Of<EmulatedLanes<Vector128<float>>, Vector128<float>>("vector4"),
        LaneSet.Of<EmulatedLanes<Vector256<float>>, Vector256<float>>("vector8"),
        LaneSet.Of<EmulatedLanes<Vector512<float>>, Vector512<float>>("vector16"),
    }.Where(static set => set.IsSupported).ToDictionary(static set => set.Name);

    public static TheoryData<string, int> All() => WithElements(Sets.Keys);

    /// <summary>Gets those for whole models: every instruction set of this machine, and what it lacks of 4, 8 and 16 lanes.</summary>
    public static TheoryData<string, int> OfModels()
    {
        var native = Native().ToArray();
        return WithElements(native.Concat(Sets.Keys.Except(native).ExceptBy(native.Select(Lanes), Lanes)));
    }

    public static TheoryData<string> Names() => [.. Sets.Keys];

    /// <summary>Gets those that an engine may take on this machine, the preferred one first.</summary>
    public static IEnumerable<string> Native() => Sets.Keys.Where(static name => name is "avx512" or "avx2" or "vector");

    /// <summary>Gets both kinds of kernels of a set.</summary>
    public static Func<int, KernelSet> Both(string set) => Sets[set].Kernels;

    public static RowKernels Of(string set, int bytes) => Sets[set].Kernels(bytes).Rows;

    public static PanelKernels PanelsOf(string set, int bytes) => Sets[set].Kernels(bytes).Panels;

    public static int Lanes(string set) => Sets[set].Operations.Lanes;

    public static LaneOperations OperationsOf(string set) => Sets[set].Operations;

    public static float[] Random(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 4) - 2)];
    }

    /// <summary>Gets values of which one in a hundred is of a special kind: no number, infinite, subnormal, a zero of either sign, as large as may be, just above a bfloat16 or halfway to its neighbour.</summary>
    public static float[] Special(int count, int seed)
    {
        float[] kinds = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.Epsilon, -1e-40f, 1.1754942e-38f, 0, -0f, float.MaxValue, float.MinValue, 1e-30f, 1 + (1f / 256), 1 + (3f / 256), float.BitIncrement(1 + (1f / 256))];
        var random = new Random(seed);
        return Array.ConvertAll(Random(count, seed), value => random.Next(100) == 0 ? kinds[random.Next(kinds.Length)] : value);
    }

    /// <summary>Gets the bits of a result's values, with one pattern for whatever is no number: its sign and payload follow from the order of an instruction's operands.</summary>
    public static int[] NumberBits(float[] values) => Array.ConvertAll(values, static value => BitConverter.SingleToInt32Bits(float.IsNaN(value) ? float.NaN : value));

    /// <summary>Stores values as the kernels' elements.</summary>
    public static unsafe byte[] Store(RowKernels kernels, float[] values)
    {
        var stored = new byte[values.Length * kernels.ElementBytes];
        fixed (float* from = values)
        {
            fixed (byte* to = stored)
            {
                kernels.Narrow(from, values.Length, to);
            }
        }

        return stored;
    }

    /// <summary>Gets the values as they were stored.</summary>
    public static unsafe float[] Widen(RowKernels kernels, byte[] stored)
    {
        var values = new float[stored.Length / kernels.ElementBytes];
        fixed (float* to = values)
        {
            fixed (byte* from = stored)
            {
                kernels.Widen(from, values.Length, to);
            }
        }

        return values;
    }

    /// <summary>Packs rows.</summary>
    public static unsafe float[] Pack(RowKernels kernels, float[] rows, int width)
    {
        var packed = new float[rows.Length];
        fixed (float* from = rows)
        {
            fixed (float* to = packed)
            {
                for (var row = 0; row < rows.Length / width; row++)
                {
                    kernels.Pack(from + (row * width), width, to + (row * width));
                }
            }
        }

        return packed;
    }

    private static TheoryData<string, int> WithElements(IEnumerable<string> names) => [.. names.SelectMany(static name => ((int[])[4, 2]).Select(bytes => (name, bytes)))];

    private sealed record LaneSet(string Name, bool IsSupported, Func<int, KernelSet> Kernels, LaneOperations Operations)
    {
        public static LaneSet Of<TLanes, TVector>(string name, bool isSupported = true)
            where TLanes : struct, ILanes<TVector>
            where TVector : unmanaged =>
            new(name, isSupported, static bytes => new KernelSet(RowKernels.For<TLanes, TVector>(bytes), PanelKernels.For<TLanes, TVector>(bytes)), new LaneOperations<TLanes, TVector>());
    }
}
