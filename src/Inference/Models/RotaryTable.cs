using System.Security.Cryptography;
using Granary.Inference.Pages;
using Granary.Inference.Tensors;
using static TorchSharp.torch;

namespace Granary.Inference.Models;

/// <summary>Cosines and sines of the rotary embedding for every position of the window.</summary>
/// <remarks>
/// Su et al. 2021 (RoFormer), as Hugging Face's <c>modeling_gpt_neox.py</c> 4.30 computes it: frequencies, angles, cosines and sines in float32 with
/// torch's own operators, whatever the run's dtype, and only then cast. Other math libraries differ by 7e-6.
/// </remarks>
internal sealed class RotaryTable : IDisposable
{
    private readonly Tensor _cos;
    private readonly Tensor _sin;

    public RotaryTable(int dimensions, double rotaryBase, int window, KvDtype dtype)
    {
        Dimensions = dimensions;
        using var scope = NewDisposeScope();
        var exponent = arange(0, dimensions, 2, dtype: ScalarType.Float32).div((float)dimensions);           // [rotary/2]
        var frequency = full_like(exponent, (float)rotaryBase).pow(exponent).reciprocal();                   // [rotary/2]
        var angle = outer(arange(0, window, dtype: ScalarType.Float32), frequency);                          // [window, rotary/2]
        var twice = cat([angle, angle], -1);                                                                 // [window, rotary]
        _cos = twice.cos().to(dtype.ToScalarType()).MoveToOuterDisposeScope();
        _sin = twice.sin().to(dtype.ToScalarType()).MoveToOuterDisposeScope();
        Digest = DigestOf(_cos, _sin);
    }

    /// <summary>Gets 16 hexadecimal digits of SHA-256 over both tables.</summary>
    public string Digest { get; }

    /// <summary>Gets how many leading channels of a head are rotated.</summary>
    public int Dimensions { get; }

    /// <summary>Gets the rows of consecutive positions.</summary>
    /// <returns>Two views of [rows, rotary]; the caller disposes them.</returns>
    public (Tensor Cos, Tensor Sin) At(long position, long rows) => (_cos.narrow(0, position, rows), _sin.narrow(0, position, rows));

    /// <summary>Gets the tables without their repetition.</summary>
    /// <returns>Two views of [window, rotary/2]; the caller disposes them.</returns>
    public (Tensor Cos, Tensor Sin) HalfTables() => (_cos.narrow(1, 0, Dimensions / 2), _sin.narrow(1, 0, Dimensions / 2));

    /// <summary>Rotates the leading channels.</summary>
    /// <param name="heads">[..., rows, head_dim].</param>
    /// <param name="cos">[rows, rotary].</param>
    /// <param name="sin">[rows, rotary].</param>
    /// <returns>[..., rows, head_dim], the caller's.</returns>
    public Tensor Rotate(Tensor heads, Tensor cos, Tensor sin)
    {
        using var scope = NewDisposeScope();
        var (half, width) = (Dimensions / 2, heads.shape[^1]);
        var turned = heads.narrow(-1, 0, Dimensions);                                                        // [..., rows, rotary]
        var across = cat([turned.narrow(-1, half, half).neg(), turned.narrow(-1, 0, half)], -1);             // [..., rows, rotary]
        var rotated = (turned * cos).add_(across * sin);                                                     // [..., rows, rotary]
        if (Dimensions < width)
        {
            rotated = cat([rotated, heads.narrow(-1, Dimensions, width - Dimensions)], -1);                  // [..., rows, head_dim]
        }

        return rotated.MoveToOuterDisposeScope();
    }

    private static string DigestOf(Tensor cos, Tensor sin)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(cos.bytes); // contiguous: made by an operator of its own
        hash.AppendData(sin.bytes);
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    }

    public void Dispose()
    {
        _cos.Dispose();
        _sin.Dispose();
    }
}
