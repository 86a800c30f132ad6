namespace Granary.Inference.Pages;

/// <summary>What a model computes in, and holds its KV in.</summary>
public enum KvDtype
{
    /// <summary>32-bit floating point, the default.</summary>
    Float32,

    /// <summary>Brain floating point: 8 bits of exponent, 7 of mantissa.</summary>
    BFloat16,

    /// <summary>64-bit floating point.</summary>
    Float64,
}

/// <summary>Names and sizes of <see cref="KvDtype"/>.</summary>
public static class KvDtypes
{
    /// <summary>Gets the bytes of one element.</summary>
    /// <param name="dtype">The dtype.</param>
    /// <returns>2, 4 or 8.</returns>
    public static int Bytes(this KvDtype dtype) => dtype switch { KvDtype.BFloat16 => 2, KvDtype.Float32 => 4, _ => 8 };

    /// <summary>Gets the name that flags and documents use.</summary>
    /// <param name="dtype">The dtype.</param>
    /// <returns><c>float32</c>, <c>bfloat16</c> or <c>float64</c>.</returns>
    public static string Name(this KvDtype dtype) => dtype switch { KvDtype.BFloat16 => "bfloat16", KvDtype.Float32 => "float32", _ => "float64" };

    /// <summary>Parses <see cref="Name"/>.</summary>
    /// <param name="name">The name.</param>
    /// <param name="dtype">The dtype.</param>
    /// <returns>Whether it is one.</returns>
    public static bool TryParse(string name, out KvDtype dtype)
    {
        dtype = name switch { "bfloat16" => KvDtype.BFloat16, "float64" => KvDtype.Float64, _ => KvDtype.Float32 };
        return dtype.Name() == name;
    }
}
