using System.Runtime.Intrinsics;
using Granary.Inference.Kernels;

namespace Granary.Inference.Tests.Kernels;

/// <summary>AVX-512's sixteen lanes by .NET's own vectors: the kernels' order of additions for that width, on any machine.</summary>
internal readonly unsafe struct SixteenLanes : ILanes<Vector512<float>>
{
    public static int Count => Vector512<float>.Count;

    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);

    public static Vector512<float> Load(float* source) => Vector512.Load(source);

    public static void Store(Vector512<float> vector, float* target) => vector.Store(target);

    public static Vector512<float> Add(Vector512<float> left, Vector512<float> right) => left + right;

    public static Vector512<float> Subtract(Vector512<float> left, Vector512<float> right) => left - right;

    public static Vector512<float> Multiply(Vector512<float> left, Vector512<float> right) => left * right;

    public static Vector512<float> Divide(Vector512<float> left, Vector512<float> right) => left / right;

    public static Vector512<float> MultiplyAdd(Vector512<float> left, Vector512<float> right, Vector512<float> addend) => Vector512.FusedMultiplyAdd(left, right, addend);

    public static Vector512<float> Max(Vector512<float> left, Vector512<float> right) => Vector512.Max(left, right);

    public static float First(Vector512<float> vector) => vector[0];

    public static float Highest(Vector512<float> vector) => Values(vector).Max();

    public static Vector512<float> Abs(Vector512<float> vector) => Vector512.Abs(vector);

    public static Vector512<float> CopySign(Vector512<float> magnitude, Vector512<float> sign) => Vector512.CopySign(magnitude, sign);

    public static Vector512<float> Exp(Vector512<float> vector) => Vector512.Create(Array.ConvertAll(Values(vector), ScalarTwins.Exp));

    public static Vector512<float> LoadEven(ushort* source) => Vector512.ShiftLeft(Vector512.Load((uint*)source), 16).AsSingle();

    public static Vector512<float> LoadOdd(ushort* source) => (Vector512.Load((uint*)source) & Vector512.Create(0xffff0000u)).AsSingle();

    public static Vector512<float> Widen(ushort* source)
    {
        var values = new float[Count];
        for (var lane = 0; lane < Count; lane++)
        {
            values[lane] = BFloat16Element.Widen((byte*)(source + lane));
        }

        return Vector512.Create(values);
    }

    public static void Narrow(Vector512<float> vector, ushort* target)
    {
        for (var lane = 0; lane < Count; lane++)
        {
            BFloat16Element.Narrow(vector[lane], (byte*)(target + lane));
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

    public static float Sum(Vector512<float> vector) => new ScalarTwins(Count).Sum(Values(vector));

    public static void Sum4(Vector512<float> first, Vector512<float> second, Vector512<float> third, Vector512<float> fourth, float* target)
    {
        target[0] = Sum(first);
        target[1] = Sum(second);
        target[2] = Sum(third);
        target[3] = Sum(fourth);
    }

    public static void Sum16(
        Vector512<float> first0, Vector512<float> second0, Vector512<float> third0, Vector512<float> fourth0,
        Vector512<float> first1, Vector512<float> second1, Vector512<float> third1, Vector512<float> fourth1,
        Vector512<float> first2, Vector512<float> second2, Vector512<float> third2, Vector512<float> fourth2,
        Vector512<float> first3, Vector512<float> second3, Vector512<float> third3, Vector512<float> fourth3,
        float* target)
    {
        Sum4(first0, second0, third0, fourth0, target);
        Sum4(first1, second1, third1, fourth1, target + 4);
        Sum4(first2, second2, third2, fourth2, target + 8);
        Sum4(first3, second3, third3, fourth3, target + 12);
    }

    private static float[] Values(Vector512<float> vector)
    {
        var values = new float[Count];
        vector.CopyTo(values);
        return values;
    }
}
