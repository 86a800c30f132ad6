using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Granary.Inference.Kernels;

/// <summary>Eight lanes: AVX2 with FMA.</summary>
internal readonly unsafe struct Avx2Lanes : ILanes<Vector256<float>>
{
    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 8;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Broadcast(float value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* source) => Vector256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> vector, float* target) => vector.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> left, Vector256<float> right) => left + right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Subtract(Vector256<float> left, Vector256<float> right) => left - right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Multiply(Vector256<float> left, Vector256<float> right) => left * right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Divide(Vector256<float> left, Vector256<float> right) => left / right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> left, Vector256<float> right, Vector256<float> addend) =>
        Fma.MultiplyAdd(left, right, addend);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Max(Vector256<float> left, Vector256<float> right) => Avx.Max(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float First(Vector256<float> vector) => vector.ToScalar();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Highest(Vector256<float> vector)
    {
        var four = Sse.Max(vector.GetLower(), vector.GetUpper());
        var two = Sse.Max(four, Sse.MoveHighToLow(four, four));
        return Sse.MaxScalar(two, Sse.Shuffle(two, two, 1)).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Abs(Vector256<float> vector) => Vector256.Abs(vector);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> CopySign(Vector256<float> magnitude, Vector256<float> sign) => Vector256.CopySign(magnitude, sign);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> vector)
    {
        var bounded = Avx.Min(Vector256.Create(88f), Avx.Max(Vector256.Create(ExpPolynomial.Least), vector)); // in this order a NaN stays one
        var power = Avx.RoundToNearestInteger(bounded * ExpPolynomial.Log2E);
        var rest = Fma.MultiplyAdd(power, Vector256.Create(-ExpPolynomial.Ln2High), bounded);
        rest = Fma.MultiplyAdd(power, Vector256.Create(-ExpPolynomial.Ln2Low), rest);
        var scale = ((Avx.ConvertToVector256Int32(power) + Vector256.Create(127)) << 23).AsSingle();
        var exp = ExpPolynomial.Of<Avx2Lanes, Vector256<float>>(rest) * scale;
        return Vector256.AndNot(exp, Vector256.LessThan(vector, Vector256.Create(ExpPolynomial.Least)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadEven(ushort* source) => (Vector256.Load((uint*)source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadOdd(ushort* source) => (Vector256.Load((uint*)source) & Vector256.Create(0xffff0000u)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Widen(ushort* source) => (Avx2.ConvertToVector256Int32(source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Narrow(Vector256<float> vector, ushort* target)
    {
        var bits = vector.AsUInt32();
        var rounded = (bits + Vector256.Create(0x7fffu) + ((bits >>> 16) & Vector256<uint>.One)) >>> 16;
        var kept = Vector256.ConditionalSelect(Vector256.Equals(vector, vector).AsUInt32(), rounded, Vector256.Create(BFloat16Element.NaN)).AsInt32();
        Sse41.PackUnsignedSaturate(kept.GetLower(), kept.GetUpper()).Store(target);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unzip(float* source, float* target)
    {
        var (first, second) = (Vector256.Load(source), Vector256.Load(source + Count));
        Avx2.Permute4x64(Avx.Shuffle(first, second, 0x88).AsDouble(), 0xd8).AsSingle().Store(target);
        Avx2.Permute4x64(Avx.Shuffle(first, second, 0xdd).AsDouble(), 0xd8).AsSingle().Store(target + Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Zip(float* source, float* target)
    {
        var (even, odd) = (Vector256.Load(source), Vector256.Load(source + Count));
        var (low, high) = (Avx.UnpackLow(even, odd), Avx.UnpackHigh(even, odd));
        Avx.Permute2x128(low, high, 0x20).Store(target);
        Avx.Permute2x128(low, high, 0x31).Store(target + Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose(byte* source, nint sourceStride, float* target, nint targetStride)
    {
        // Four rows at a time become four columns of each half; the halves are put in place last.
        Quad(source, sourceStride, out var a0, out var a1, out var a2, out var a3);
        Quad(source + (4 * sourceStride), sourceStride, out var b0, out var b1, out var b2, out var b3);
        StoreHalves(a0, b0, target, 4 * targetStride);
        StoreHalves(a1, b1, target + targetStride, 4 * targetStride);
        StoreHalves(a2, b2, target + (2 * targetStride), 4 * targetStride);
        StoreHalves(a3, b3, target + (3 * targetStride), 4 * targetStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quad(byte* source, nint stride, out Vector256<float> column0, out Vector256<float> column1, out Vector256<float> column2, out Vector256<float> column3)
    {
        var (row0, row1) = (Vector256.Load((float*)source), Vector256.Load((float*)(source + stride)));
        var (row2, row3) = (Vector256.Load((float*)(source + (2 * stride))), Vector256.Load((float*)(source + (3 * stride))));
        var (low01, high01) = (Avx.UnpackLow(row0, row1).AsDouble(), Avx.UnpackHigh(row0, row1).AsDouble());
        var (low23, high23) = (Avx.UnpackLow(row2, row3).AsDouble(), Avx.UnpackHigh(row2, row3).AsDouble());
        column0 = Avx.UnpackLow(low01, low23).AsSingle();
        column1 = Avx.UnpackHigh(low01, low23).AsSingle();
        column2 = Avx.UnpackLow(high01, high23).AsSingle();
        column3 = Avx.UnpackHigh(high01, high23).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreHalves(Vector256<float> first, Vector256<float> second, float* target, nint stride)
    {
        Avx.Permute2x128(first, second, 0x20).Store(target);
        Avx.Permute2x128(first, second, 0x31).Store(target + stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> vector)
    {
        var four = vector.GetLower() + vector.GetUpper();
        var pairs = Sse3.HorizontalAdd(four, four);
        return Sse3.HorizontalAdd(pairs, pairs).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum4(Vector256<float> first, Vector256<float> second, Vector256<float> third, Vector256<float> fourth, float* target)
    {
        var upper = Avx.Permute2x128(first, third, 0x31) + Avx.Permute2x128(first, third, 0x20);     // [first's 4, third's 4]
        var lower = Avx.Permute2x128(second, fourth, 0x31) + Avx.Permute2x128(second, fourth, 0x20); // [second's 4, fourth's 4]
        var pairs = Avx.HorizontalAdd(upper, lower);                                                 // [first's 2, second's 2, third's 2, fourth's 2]
        var sums = Avx.HorizontalAdd(pairs, pairs);                                                  // [first, second, first, second, third, fourth, third, fourth]
        Sse.MoveLowToHigh(sums.GetLower(), sums.GetUpper()).Store(target);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum16(
        Vector256<float> first0, Vector256<float> second0, Vector256<float> third0, Vector256<float> fourth0,
        Vector256<float> first1, Vector256<float> second1, Vector256<float> third1, Vector256<float> fourth1,
        Vector256<float> first2, Vector256<float> second2, Vector256<float> third2, Vector256<float> fourth2,
        Vector256<float> first3, Vector256<float> second3, Vector256<float> third3, Vector256<float> fourth3,
        float* target)
    {
        Sum4(first0, second0, third0, fourth0, target);
        Sum4(first1, second1, third1, fourth1, target + 4);
        Sum4(first2, second2, third2, fourth2, target + 8);
        Sum4(first3, second3, third3, fourth3, target + 12);
    }
}
