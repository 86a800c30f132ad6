using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Granary.Inference.Kernels;

namespace Granary.Inference.Tests.Kernels;

/// <summary>As many lanes as a vector has, without its instructions: the kernels' order of additions for each width, on any machine.</summary>
/// <remarks>One number at a time, or four where IEEE 754 leaves no choice and whole models would wait.</remarks>
/// <typeparam name="TVector">What holds the lanes, and is used for nothing else.</typeparam>
internal readonly unsafe struct EmulatedLanes<TVector> : ILanes<TVector>
    where TVector : unmanaged
{
    public static int Count => sizeof(TVector) / sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Broadcast(float value)
    {
        TVector result = default;
        new Span<float>(&result, Count).Fill(value);
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load(float* source) => *(TVector*)source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(TVector vector, float* target) => *(TVector*)target = vector;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Add(TVector left, TVector right)
    {
        TVector result = default;
        for (var lane = 0; lane < Count; lane += 4)
        {
            (Four(&left, lane) + Four(&right, lane)).Store((float*)&result + lane);
        }

        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector MultiplyAdd(TVector left, TVector right, TVector addend)
    {
        TVector result = default;
        for (var lane = 0; lane < Count; lane += 4)
        {
            Vector128.FusedMultiplyAdd(Four(&left, lane), Four(&right, lane), Four(&addend, lane)).Store((float*)&result + lane);
        }

        return result;
    }

    public static TVector Subtract(TVector left, TVector right) => Each(left, right, static (left, right) => left - right);

    public static TVector Multiply(TVector left, TVector right) => Each(left, right, static (left, right) => left * right);

    public static TVector Divide(TVector left, TVector right) => Each(left, right, static (left, right) => left / right);

    public static TVector Max(TVector left, TVector right) => Each(left, right, MathF.Max);

    public static TVector CopySign(TVector magnitude, TVector sign) => Each(magnitude, sign, MathF.CopySign);

    public static TVector Abs(TVector vector) => Each(vector, vector, static (value, _) => MathF.Abs(value));

    public static TVector Exp(TVector vector) => Each(vector, vector, static (value, _) => ScalarTwins.Exp(value));

    public static float First(TVector vector) => *(float*)&vector;

    public static float Highest(TVector vector) => System.Numerics.Tensors.TensorPrimitives.Max<float>(new Span<float>(&vector, Count));

    public static TVector LoadEven(ushort* source) => Widen(source, 2);

    public static TVector LoadOdd(ushort* source) => Widen(source + 1, 2);

    public static TVector Widen(ushort* source) => Widen(source, 1);

    public static void Narrow(TVector vector, ushort* target)
    {
        for (var lane = 0; lane < Count; lane++)
        {
            target[lane] = ScalarTwins.Narrow(((float*)&vector)[lane]);
        }
    }

    public static void Unzip(float* source, float* target)
    {
        for (var lane = 0; lane < Count; lane++)
        {
            target[lane] = source[2 * lane];
            target[Count + lane] = source[(2 * lane) + 1];
        }
    }

    public static void Zip(float* source, float* target)
    {
        for (var lane = 0; lane < Count; lane++)
        {
            target[2 * lane] = source[lane];
            target[(2 * lane) + 1] = source[Count + lane];
        }
    }

    public static void Transpose(byte* source, nint sourceStride, float* target, nint targetStride)
    {
        for (var row = 0; row < Count; row++)
        {
            for (var column = 0; column < Count; column++)
            {
                target[(column * targetStride) + row] = ((float*)(source + (row * sourceStride)))[column];
            }
        }
    }

    public static float Sum(TVector vector) => ScalarTwins.Sum(new Span<float>(&vector, Count));

    public static void Sum4(TVector first, TVector second, TVector third, TVector fourth, float* target)
    {
        target[0] = Sum(first);
        target[1] = Sum(second);
        target[2] = Sum(third);
        target[3] = Sum(fourth);
    }

    public static void Sum16(
        TVector first0, TVector second0, TVector third0, TVector fourth0,
        TVector first1, TVector second1, TVector third1, TVector fourth1,
        TVector first2, TVector second2, TVector third2, TVector fourth2,
        TVector first3, TVector second3, TVector third3, TVector fourth3,
        float* target)
    {
        Sum4(first0, second0, third0, fourth0, target);
        Sum4(first1, second1, third1, fourth1, target + 4);
        Sum4(first2, second2, third2, fourth2, target + 8);
        Sum4(first3, second3, third3, fourth3, target + 12);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Four(TVector* vector, int lane) => Vector128.Load((float*)vector + lane);

    private static TVector Each(TVector left, TVector right, Func<float, float, float> operation)
    {
        TVector result = default;
        for (var lane = 0; lane < Count; lane++)
        {
            ((float*)&result)[lane] = operation(((float*)&left)[lane], ((float*)&right)[lane]);
        }

        return result;
    }

    private static TVector Widen(ushort* source, int step)
    {
        TVector result = default;
        for (var lane = 0; lane < Count; lane++)
        {
            ((float*)&result)[lane] = ScalarTwins.Widen(source[step * lane]);
        }

        return result;
    }
}
