using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Granary.Inference.Kernels;

/// <summary>Sixteen lanes: AVX-512F. .NET 10 has no AVX512-BF16 intrinsics, so bfloat16 is widened in registers: it is float32's upper half.</summary>
internal readonly unsafe struct Avx512Lanes : ILanes<Vector512<float>>
{
    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 16;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* source) => Vector512.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> vector, float* target) => vector.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> left, Vector512<float> right) => left + right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Subtract(Vector512<float> left, Vector512<float> right) => left - right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Multiply(Vector512<float> left, Vector512<float> right) => left * right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Divide(Vector512<float> left, Vector512<float> right) => left / right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAdd(Vector512<float> left, Vector512<float> right, Vector512<float> addend) =>
        Avx512F.FusedMultiplyAdd(left, right, addend);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Max(Vector512<float> left, Vector512<float> right) => Avx512F.Max(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float First(Vector512<float> vector) => vector.ToScalar();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Highest(Vector512<float> vector) => Avx2Lanes.Highest(Avx.Max(vector.GetLower(), vector.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Abs(Vector512<float> vector) => Vector512.Abs(vector);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> CopySign(Vector512<float> magnitude, Vector512<float> sign) => Vector512.CopySign(magnitude, sign);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> vector)
    {
        var bounded = Avx512F.Max(Vector512.Create(ExpPolynomial.Least - 1), vector); // in this order a NaN stays one
        var power = Avx512F.RoundScale(bounded * ExpPolynomial.Log2E, 0);
        var rest = Avx512F.FusedMultiplyAdd(power, Vector512.Create(-ExpPolynomial.Ln2High), bounded);
        rest = Avx512F.FusedMultiplyAdd(power, Vector512.Create(-ExpPolynomial.Ln2Low), rest);
        var exp = Avx512F.Scale(ExpPolynomial.Of<Avx512Lanes, Vector512<float>>(rest), power);
        return Vector512.AndNot(exp, Vector512.LessThan(vector, Vector512.Create(ExpPolynomial.Least)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadEven(ushort* source) => (Vector512.Load((uint*)source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadOdd(ushort* source) => (Vector512.Load((uint*)source) & Vector512.Create(0xffff0000u)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Widen(ushort* source) => (Avx512F.ConvertToVector512Int32(Vector256.Load(source)) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Narrow(Vector512<float> vector, ushort* target)
    {
        var bits = vector.AsUInt32();
        var rounded = (bits + Vector512.Create(0x7fffu) + ((bits >>> 16) & Vector512<uint>.One)) >>> 16;
        var kept = Vector512.ConditionalSelect(Vector512.Equals(vector, vector).AsUInt32(), rounded, Vector512.Create(BFloat16Element.NaN));
        Avx512F.ConvertToVector256UInt16(kept).Store(target);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unzip(float* source, float* target)
    {
        var (first, second) = (Vector512.Load(source), Vector512.Load(source + Count));
        Avx512F.PermuteVar16x32x2(first, Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30), second).Store(target);
        Avx512F.PermuteVar16x32x2(first, Vector512.Create(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31), second).Store(target + Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Zip(float* source, float* target)
    {
        var (even, odd) = (Vector512.Load(source), Vector512.Load(source + Count));
        Avx512F.PermuteVar16x32x2(even, Vector512.Create(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), odd).Store(target);
        Avx512F.PermuteVar16x32x2(even, Vector512.Create(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), odd).Store(target + Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose(byte* source, nint sourceStride, float* target, nint targetStride)
    {
        // Four rows at a time become four columns of each 128-bit part; the parts are put in place last.
        Quad(source, sourceStride, out var a0, out var a1, out var a2, out var a3);
        Quad(source + (4 * sourceStride), sourceStride, out var b0, out var b1, out var b2, out var b3);
        Quad(source + (8 * sourceStride), sourceStride, out var c0, out var c1, out var c2, out var c3);
        Quad(source + (12 * sourceStride), sourceStride, out var d0, out var d1, out var d2, out var d3);
        StoreParts(a0, b0, c0, d0, target, 4 * targetStride);
        StoreParts(a1, b1, c1, d1, target + targetStride, 4 * targetStride);
        StoreParts(a2, b2, c2, d2, target + (2 * targetStride), 4 * targetStride);
        StoreParts(a3, b3, c3, d3, target + (3 * targetStride), 4 * targetStride);
    }

    // Of rows r0 to r3: in each 128-bit part p, column[i] has (r0, r1, r2, r3) at column 4 p + i.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quad(byte* source, nint stride, out Vector512<float> column0, out Vector512<float> column1, out Vector512<float> column2, out Vector512<float> column3)
    {
        var (row0, row1) = (Vector512.Load((float*)source), Vector512.Load((float*)(source + stride)));
        var (row2, row3) = (Vector512.Load((float*)(source + (2 * stride))), Vector512.Load((float*)(source + (3 * stride))));
        var (low01, high01) = (Avx512F.UnpackLow(row0, row1).AsDouble(), Avx512F.UnpackHigh(row0, row1).AsDouble());
        var (low23, high23) = (Avx512F.UnpackLow(row2, row3).AsDouble(), Avx512F.UnpackHigh(row2, row3).AsDouble());
        column0 = Avx512F.UnpackLow(low01, low23).AsSingle();
        column1 = Avx512F.UnpackHigh(low01, low23).AsSingle();
        column2 = Avx512F.UnpackLow(high01, high23).AsSingle();
        column3 = Avx512F.UnpackHigh(high01, high23).AsSingle();
    }

    // Part p of all four vectors becomes row p of the target.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreParts(Vector512<float> first, Vector512<float> second, Vector512<float> third, Vector512<float> fourth, float* target, nint stride)
    {
        var (even12, odd12) = (Avx512F.Shuffle4x128(first, second, 0x88), Avx512F.Shuffle4x128(first, second, 0xdd));
        var (even34, odd34) = (Avx512F.Shuffle4x128(third, fourth, 0x88), Avx512F.Shuffle4x128(third, fourth, 0xdd));
        Avx512F.Shuffle4x128(even12, even34, 0x88).Store(target);
        Avx512F.Shuffle4x128(odd12, odd34, 0x88).Store(target + stride);
        Avx512F.Shuffle4x128(even12, even34, 0xdd).Store(target + (2 * stride));
        Avx512F.Shuffle4x128(odd12, odd34, 0xdd).Store(target + (3 * stride));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> vector) => Avx2Lanes.Sum(vector.GetLower() + vector.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum4(Vector512<float> first, Vector512<float> second, Vector512<float> third, Vector512<float> fourth, float* target) => Avx2Lanes.Sum4(
        first.GetLower() + first.GetUpper(),
        second.GetLower() + second.GetUpper(),
        third.GetLower() + third.GetUpper(),
        fourth.GetLower() + fourth.GetUpper(),
        target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum16(
        Vector512<float> first0, Vector512<float> second0, Vector512<float> third0, Vector512<float> fourth0,
        Vector512<float> first1, Vector512<float> second1, Vector512<float> third1, Vector512<float> fourth1,
        Vector512<float> first2, Vector512<float> second2, Vector512<float> third2, Vector512<float> fourth2,
        Vector512<float> first3, Vector512<float> second3, Vector512<float> third3, Vector512<float> fourth3,
        float* target)
    {
        // Each step adds what Sum4 adds, for all sixteen at once: halves, quarters, neighbours, pairs.
        var (quarters0, quarters1) = (Quarters(first0, second0, third0, fourth0), Quarters(first1, second1, third1, fourth1));
        var (quarters2, quarters3) = (Quarters(first2, second2, third2, fourth2), Quarters(first3, second3, third3, fourth3));
        var (neighbours01, neighbours23) = (Neighbours(quarters0, quarters1), Neighbours(quarters2, quarters3));
        var sums = Neighbours(neighbours01, neighbours23); // in 128-bit part i: vector i of each of the four groups
        var order = Vector512.Create(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        Avx512F.PermuteVar16x32(sums, order).Store(target);
    }

    // In 128-bit part i: vector i, its lanes added until four are left.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Quarters(Vector512<float> first, Vector512<float> second, Vector512<float> third, Vector512<float> fourth)
    {
        var halves12 = Avx512F.Shuffle4x128(first, second, 0x44) + Avx512F.Shuffle4x128(first, second, 0xee);
        var halves34 = Avx512F.Shuffle4x128(third, fourth, 0x44) + Avx512F.Shuffle4x128(third, fourth, 0xee);
        return Avx512F.Shuffle4x128(halves12, halves34, 0x88) + Avx512F.Shuffle4x128(halves12, halves34, 0xdd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Neighbours(Vector512<float> left, Vector512<float> right) =>
        Avx512F.Shuffle(left, right, 0x88) + Avx512F.Shuffle(left, right, 0xdd);
}
