using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Granary.Inference.Kernels;
using Granary.Inference.Pages;
using Granary.Inference.Safetensors;

namespace Granary.Inference.Models;

/// <summary>Brings stored elements into the run's dtype, through float32: as libtorch's <c>to</c> rounds, to the bit.</summary>
internal static unsafe class WeightConversion
{
    private static readonly RowKernels BFloat16Kernels = RowKernels.Best(KvDtype.BFloat16.Bytes());

    /// <summary>Converts some elements.</summary>
    /// <param name="stored">The elements, of another dtype than the target's.</param>
    /// <param name="from">Their dtype: F16, BF16, F32 or F64.</param>
    /// <param name="singles">Room for as many float32.</param>
    /// <param name="target">Takes them.</param>
    /// <param name="to">The run's dtype.</param>
    public static void Convert(ReadOnlySpan<byte> stored, SafetensorsDtype from, Span<float> singles, byte* target, KvDtype to)
    {
        var values = to == KvDtype.Float32 ? new Span<float>(target, singles.Length) : singles;
        switch (from)
        {
            case SafetensorsDtype.F16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(stored), values);
                break;
            case SafetensorsDtype.BF16:
                fixed (byte* elements = stored)
                fixed (float* widened = values)
                {
                    BFloat16Kernels.Widen(elements, values.Length, widened);
                }

                break;
            case SafetensorsDtype.F64:
                TensorPrimitives.ConvertTruncating<double, float>(MemoryMarshal.Cast<byte, double>(stored), values);
                break;
            default:
                MemoryMarshal.Cast<byte, float>(stored).CopyTo(values);
                break;
        }

        if (to == KvDtype.BFloat16)
        {
            fixed (float* rounded = values)
            {
                BFloat16Kernels.Narrow(rounded, values.Length, target);
            }
        }
        else if (to == KvDtype.Float64)
        {
            TensorPrimitives.ConvertTruncating<float, double>(values, new Span<double>(target, values.Length)); // every float32 is a float64
        }
    }
}
