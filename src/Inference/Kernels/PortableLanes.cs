using System.Numerics;
using System.Runtime.CompilerServices;

namespace Granary.Inference.Kernels;

/// <summary>As many lanes as .NET's own <see cref="Vector{T}"/> has: any machine.</summary>
internal readonly unsafe struct PortableLanes : ILanes<Vector<float>>
{
    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector<float>.Count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Broadcast(float value) => new(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Load(float* source) => Vector.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector<float> vector, float* target) => vector.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Add(Vector<float> left, Vector<float> right) => left + right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Subtract(Vector<float> left, Vector<float> right) => left - right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Multiply(Vector<float> left, Vector<float> right) => left * right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Divide(Vector<float> left, Vector<float> right) => left / right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> MultiplyAdd(Vector<float> left, Vector<float> right, Vector<float> addend) => Vector.FusedMultiplyAdd(left, right, addend);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Max(Vector<float> left, Vector<float> right) => Vector.Max(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float First(Vector<float> vector) => vector[0];

    public static float Highest(Vector<float> vector)
    {
        var highest = vector[0];
        for (var lane = 1; lane < Vector<float>.Count; lane++)
        {
            highest = MathF.Max(highest, vector[lane]);
        }

        return highest;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Abs(Vector<float> vector) => Vector.Abs(vector);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> CopySign(Vector<float> magnitude, Vector<float> sign) => Vector.CopySign(magnitude, sign);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Exp(Vector<float> vector)
    {
        var bounded = Vector.Min(new Vector<float>(88f), Vector.Max(new Vector<float>(ExpPolynomial.Least), vector));
        var power = Vector.Round(bounded * ExpPolynomial.Log2E);
        var rest = Vector.FusedMultiplyAdd(power, new Vector<float>(-ExpPolynomial.Ln2High), bounded);
        rest = Vector.FusedMultiplyAdd(power, new Vector<float>(-ExpPolynomial.Ln2Low), rest);
        var scale = Vector.AsVectorSingle((Vector.ConvertToInt32(power) + new Vector<int>(127)) << 23);
        var exp = ExpPolynomial.Of<PortableLanes, Vector<float>>(rest) * scale;
        return Vector.ConditionalSelect(Vector.LessThan(vector, new Vector<float>(ExpPolynomial.Least)), Vector<float>.Zero, exp);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> LoadEven(ushort* source) => Vector.AsVectorSingle(Vector.ShiftLeft(Vector.Load((uint*)source), 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> LoadOdd(ushort* source) => Vector.AsVectorSingle(Vector.Load((uint*)source) & new Vector<uint>(0xffff0000u));

    public static Vector<float> Widen(ushort* source)
    {
        var lanes = stackalloc float[Vector<float>.Count];
        for (var lane = 0; lane < Vector<float>.Count; lane++)
        {
            lanes[lane] = BFloat16Element.Widen((byte*)(source + lane));
        }

        return Vector.Load(lanes);
    }

    public static void Narrow(Vector<float> vector, ushort* target)
    {
        for (var lane = 0; lane < Vector<float>.Count; lane++)
        {
            BFloat16Element.Narrow(vector[lane], (byte*)(target + lane));
        }
    }

    public static void Unzip(float* source, float* target)
    {
        for (var lane = 0; lane < Vector<float>.Count; lane++)
        {
            target[lane] = source[2 * lane];
            target[Vector<float>.Count + lane] = source[(2 * lane) + 1];
        }
    }

    public static void Zip(float* source, float* target)
    {
        for (var lane = 0; lane < Vector<float>.Count; lane++)
        {
            target[2 * lane] = source[lane];
            target[(2 * lane) + 1] = source[Vector<float>.Count + lane];
        }
    }

    public static void Transpose(byte* source, nint sourceStride, float* target, nint targetStride)
    {
        for (var row = 0; row < Vector<float>.Count; row++)
        {
            for (var column = 0; column < Vector<float>.Count; column++)
            {
                target[(column * targetStride) + row] = ((float*)(source + (row * sourceStride)))[column];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum4(Vector<float> first, Vector<float> second, Vector<float> third, Vector<float> fourth, float* target)
    {
        target[0] = Sum(first);
        target[1] = Sum(second);
        target[2] = Sum(third);
        target[3] = Sum(fourth);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum16(
        Vector<float> first0, Vector<float> second0, Vector<float> third0, Vector<float> fourth0,
        Vector<float> first1, Vector<float> second1, Vector<float> third1, Vector<float> fourth1,
        Vector<float> first2, Vector<float> second2, Vector<float> third2, Vector<float> fourth2,
        Vector<float> first3, Vector<float> second3, Vector<float> third3, Vector<float> fourth3,
        float* target)
    {
        Sum4(first0, second0, third0, fourth0, target);
        Sum4(first1, second1, third1, fourth1, target + 4);
        Sum4(first2, second2, third2, fourth2, target + 8);
        Sum4(first3, second3, third3, fourth3, target + 12);
    }

    public static float Sum(Vector<float> vector)
    {
        var lanes = stackalloc float[Vector<float>.Count];
        vector.Store(lanes);
        for (var width = Vector<float>.Count; width > 4; width /= 2)
        {
            for (var lane = 0; lane < width / 2; lane++)
            {
                lanes[lane] += lanes[lane + (width / 2)];
            }
        }

        return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
    }
}
