using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Granary.Inference.Generation;

/// <summary>Sums in double whose order of additions depends on the number of summands alone.</summary>
/// <remarks>
/// Summand <c>i</c> goes to lane <c>i mod 8</c>, the lanes are added pairwise at the end. Not <c>TensorPrimitives.Sum</c>: that one begins at the first aligned
/// address, so that its bits follow where the row happens to lie.
/// </remarks>
internal static class OrderedSums
{
    private const int Lanes = 8;

    /// <summary>Sums exp(value - highest).</summary>
    /// <param name="values">At least one, finite.</param>
    /// <param name="highest">Their maximum, so that no summand is above 1.</param>
    /// <returns>1 or more.</returns>
    public static double OfExponentials<T>(ReadOnlySpan<T> values, double highest)
        where T : unmanaged, INumberBase<T>
    {
        var shift = Vector512.Create(highest);
        var sum = Vector512<double>.Zero;
        var whole = values.Length - (values.Length % Lanes);
        for (var first = 0; first < whole; first += Lanes)
        {
            sum += ReproducibleMath.Exp(Load(values.Slice(first, Lanes)) - shift);
        }

        return Pairwise(whole == values.Length ? sum : sum + ReproducibleMath.Exp(LoadRest(values[whole..], double.NegativeInfinity) - shift));
    }

    /// <summary>Sums values.</summary>
    /// <param name="values">Any number.</param>
    /// <returns>The sum; 0 of none.</returns>
    public static double Of(ReadOnlySpan<float> values)
    {
        var sum = Vector512<double>.Zero;
        var whole = values.Length - (values.Length % Lanes);
        for (var first = 0; first < whole; first += Lanes)
        {
            sum += Load(values.Slice(first, Lanes));
        }

        return Pairwise(whole == values.Length ? sum : sum + LoadRest(values[whole..], 0));
    }

    private static Vector512<double> Load<T>(ReadOnlySpan<T> eight)
        where T : unmanaged, INumberBase<T>
    {
        if (typeof(T) == typeof(float))
        {
            var (lower, upper) = Vector256.Widen(Vector256.Create(MemoryMarshal.Cast<T, float>(eight)));
            return Vector512.Create(lower, upper);
        }

        return Vector512.Create(MemoryMarshal.Cast<T, double>(eight));
    }

    private static Vector512<double> LoadRest<T>(ReadOnlySpan<T> rest, double padding)
        where T : unmanaged, INumberBase<T>
    {
        var lanes = Vector512.Create(padding);
        for (var lane = 0; lane < rest.Length; lane++)
        {
            lanes = lanes.WithElement(lane, double.CreateTruncating(rest[lane]));
        }

        return lanes;
    }

    private static double Pairwise(Vector512<double> lanes) =>
        ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}
