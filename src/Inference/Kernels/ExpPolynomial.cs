using System.Runtime.CompilerServices;

namespace Granary.Inference.Kernels;

/// <summary>e^x for float32 lanes: 2^n · e^r with n = round(x / ln 2) and |r| ≤ ln 2 / 2.</summary>
/// <remarks>The polynomial and the split of ln 2 are those of Cephes' <c>expf</c> (Moshier 1989). .NET's own goes through float64, at several times the cost.</remarks>
internal static class ExpPolynomial
{
    /// <summary>e^x is not a normal float32 below this.</summary>
    public const float Least = -87.33654f;

    public const float Log2E = 1.44269504f;

    public const float Ln2High = 0.693359375f;

    public const float Ln2Low = -2.12194440e-4f;

    /// <summary>Gets e^r.</summary>
    /// <param name="rest">r.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Of<TLanes, TVector>(TVector rest)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        var sum = TLanes.MultiplyAdd(TLanes.Broadcast(1.9875691500e-4f), rest, TLanes.Broadcast(1.3981999507e-3f));
        sum = TLanes.MultiplyAdd(sum, rest, TLanes.Broadcast(8.3334519073e-3f));
        sum = TLanes.MultiplyAdd(sum, rest, TLanes.Broadcast(4.1665795894e-2f));
        sum = TLanes.MultiplyAdd(sum, rest, TLanes.Broadcast(1.6666665459e-1f));
        sum = TLanes.MultiplyAdd(sum, rest, TLanes.Broadcast(5.0000001201e-1f));
        return TLanes.Add(TLanes.MultiplyAdd(sum, TLanes.Multiply(rest, rest), rest), TLanes.Broadcast(1));
    }
}
