using System.Numerics;
using System.Runtime.Intrinsics;
using Granary.Inference.Kernels;

namespace Granary.Inference.Generation;

/// <summary>Exponentials and logarithms of operations that IEEE 754 rounds in one way only: equal bits on every machine and under every version of .NET and its C library.</summary>
/// <remarks>The libraries' own are as accurate, but none promises its bits, and a result's numerics id would have to name them.</remarks>
internal static class ReproducibleMath
{
    private const double Log2E = 1.4426950408889634;
    private const double Ln2High = 0.693147180369123816490; // the last 33 bits are 0: a product with a small integer is exact (fdlibm, e_log.c)
    private const double Ln2Low = 1.90821492927058770002e-10;
    private const double LeastNormal = -708.39641853226408; // ln 2^-1022
    private const double Sqrt2 = 1.4142135623730951;
    private const int FractionBits = 52;
    private const int ExponentBias = 1023;

    /// <summary>Gets e^x, to 2 units in the last place; 0 for what is less than the least normal number.</summary>
    /// <param name="values">At most 709 each; negative infinity included.</param>
    public static Vector512<double> Exp(Vector512<double> values)
    {
        var bounded = Vector512.Max(values, Vector512.Create(LeastNormal));
        var power = Vector512.Round(bounded * Log2E);
        var rest = Vector512.FusedMultiplyAdd(power, Vector512.Create(-Ln2High), bounded);
        rest = Vector512.FusedMultiplyAdd(power, Vector512.Create(-Ln2Low), rest);
        var scale = (Vector512.ConvertToInt64(power) + Vector512.Create((long)ExponentBias)) << FractionBits;
        return Vector512.AndNot(Series(rest) * scale.AsDouble(), Vector512.LessThan(values, Vector512.Create(LeastNormal)).AsDouble());
    }

    /// <summary>Puts e^x in place of each x, to 2 units in the last place.</summary>
    /// <param name="values">At most 88 each.</param>
    public static void Exp(Span<float> values)
    {
        var index = 0;
        for (; index + Vector<float>.Count <= values.Length; index += Vector<float>.Count)
        {
            PortableLanes.Exp(new Vector<float>(values[index..])).CopyTo(values[index..]);
        }

        for (; index < values.Length; index++)
        {
            values[index] = PortableLanes.Exp(new Vector<float>(values[index]))[0];
        }
    }

    /// <summary>Gets the natural logarithm, to 2 units in the last place.</summary>
    /// <param name="value">Normal and above 0.</param>
    public static double Log(double value)
    {
        var bits = BitConverter.DoubleToInt64Bits(value);
        var power = (int)(bits >> FractionBits) - ExponentBias;
        var fraction = BitConverter.Int64BitsToDouble((bits & ((1L << FractionBits) - 1)) | ((long)ExponentBias << FractionBits)); // [1, 2)
        if (fraction > Sqrt2)
        {
            (fraction, power) = (fraction / 2, power + 1);
        }

        // ln f = 2 atanh(s), and |s| < 0.172: 11 terms reach the last bit.
        var s = (fraction - 1) / (fraction + 1);
        var square = s * s;
        var sum = 0.0;
        for (var term = 10; term >= 1; term--)
        {
            sum = Math.FusedMultiplyAdd(sum, square, 1.0 / ((2 * term) + 1));
        }

        var tail = Math.FusedMultiplyAdd(2 * s * square, sum, power * Ln2Low);
        return Math.FusedMultiplyAdd(power, Ln2High, (2 * s) + tail);
    }

    // Taylor's series: |rest| is at most ln 2 / 2, so what is behind the 13th power is below the last bit.
    private static Vector512<double> Series(Vector512<double> rest)
    {
        var sum = Vector512.Create(1.0 / 6227020800);
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(1.0 / 479001600));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(1.0 / 39916800));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(1.0 / 3628800));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(1.0 / 362880));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(1.0 / 40320));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(1.0 / 5040));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(1.0 / 720));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(1.0 / 120));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(1.0 / 24));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(1.0 / 6));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(0.5));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512<double>.One);
        return Vector512.FusedMultiplyAdd(sum, rest, Vector512<double>.One);
    }
}
