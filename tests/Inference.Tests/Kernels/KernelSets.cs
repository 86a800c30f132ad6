using System.Numerics;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Granary.Inference.Kernels;

namespace Granary.Inference.Tests.Kernels;

/// <summary>Every instruction set that this machine has, with both stored elements; where it has no AVX-512, the same number of lanes without.</summary>
internal static class KernelSets
{
    public static TheoryData<string, int> All()
    {
        var data = new TheoryData<string, int>();
        foreach (var bytes in (int[])[4, 2])
        {
            data.Add("vector", bytes);
            if (Avx2.IsSupported && Fma.IsSupported)
            {
                data.Add("avx2", bytes);
            }

            data.Add(Avx512F.IsSupported ? "avx512" : "vector16", bytes);
        }

        return data;
    }

    /// <summary>Gets both kinds of kernels of a set.</summary>
    public static Func<int, KernelSet> Both(string set) => bytes => new KernelSet(Of(set, bytes), PanelsOf(set, bytes));

    public static RowKernels Of(string set, int bytes) => set switch
    {
        "avx512" => RowKernels.For<Avx512Lanes, Vector512<float>>(bytes),
        "vector16" => RowKernels.For<SixteenLanes, Vector512<float>>(bytes),
        "avx2" => RowKernels.For<Avx2Lanes, Vector256<float>>(bytes),
        _ => RowKernels.For<PortableLanes, Vector<float>>(bytes),
    };

    public static PanelKernels PanelsOf(string set, int bytes) => set switch
    {
        "avx512" => PanelKernels.For<Avx512Lanes, Vector512<float>>(bytes),
        "vector16" => PanelKernels.For<SixteenLanes, Vector512<float>>(bytes),
        "avx2" => PanelKernels.For<Avx2Lanes, Vector256<float>>(bytes),
        _ => PanelKernels.For<PortableLanes, Vector<float>>(bytes),
    };

    public static int Lanes(string set) => set switch { "avx512" or "vector16" => 16, "avx2" => 8, _ => Vector<float>.Count };

    public static float[] Random(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 4) - 2)];
    }

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
}
