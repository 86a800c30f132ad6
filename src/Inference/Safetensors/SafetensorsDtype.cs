namespace Granary.Inference.Safetensors;

/// <summary>The element types of a safetensors file. Granary computes with weights of the first four; the others are read past.</summary>
public enum SafetensorsDtype
{
    /// <summary>64-bit floating point.</summary>
    F64,

    /// <summary>32-bit floating point.</summary>
    F32,

    /// <summary>16-bit floating point.</summary>
    F16,

    /// <summary>Brain floating point: 8 bits of exponent, 7 of mantissa.</summary>
    BF16,

    /// <summary>64-bit integer.</summary>
    I64,

    /// <summary>32-bit integer.</summary>
    I32,

    /// <summary>16-bit integer.</summary>
    I16,

    /// <summary>8-bit integer.</summary>
    I8,

    /// <summary>Unsigned 64-bit integer.</summary>
    U64,

    /// <summary>Unsigned 32-bit integer.</summary>
    U32,

    /// <summary>Unsigned 16-bit integer.</summary>
    U16,

    /// <summary>Unsigned 8-bit integer.</summary>
    U8,

    /// <summary>A byte that is 0 or 1.</summary>
    BOOL,

    /// <summary>8-bit floating point, 4 bits of exponent.</summary>
    F8E4M3,

    /// <summary>8-bit floating point, 5 bits of exponent.</summary>
    F8E5M2,
}

/// <summary>Names and sizes of <see cref="SafetensorsDtype"/>.</summary>
public static class SafetensorsDtypes
{
    /// <summary>Gets the bytes of one element.</summary>
    /// <param name="dtype">The dtype.</param>
    /// <returns>1, 2, 4 or 8.</returns>
    public static int Bytes(this SafetensorsDtype dtype) => dtype switch
    {
        SafetensorsDtype.F64 or SafetensorsDtype.I64 or SafetensorsDtype.U64 => 8,
        SafetensorsDtype.F32 or SafetensorsDtype.I32 or SafetensorsDtype.U32 => 4,
        SafetensorsDtype.F16 or SafetensorsDtype.BF16 or SafetensorsDtype.I16 or SafetensorsDtype.U16 => 2,
        _ => 1,
    };

    /// <summary>Gets whether a model's weights may be of this dtype.</summary>
    /// <param name="dtype">The dtype.</param>
    /// <returns><see langword="true"/> for F64, F32, F16 and BF16.</returns>
    public static bool IsWeight(this SafetensorsDtype dtype) => dtype <= SafetensorsDtype.BF16;

    /// <summary>Gets the name that a header has.</summary>
    /// <param name="dtype">The dtype.</param>
    /// <returns>The enumeration's name, but for <c>F8_E4M3</c> and <c>F8_E5M2</c>.</returns>
    public static string Name(this SafetensorsDtype dtype) => dtype switch
    {
        SafetensorsDtype.F8E4M3 => "F8_E4M3",
        SafetensorsDtype.F8E5M2 => "F8_E5M2",
        _ => dtype.ToString(),
    };

    internal static bool TryParse(string name, out SafetensorsDtype dtype) =>
        Enum.TryParse(name.Replace("F8_", "F8", StringComparison.Ordinal), out dtype) && dtype.Name() == name; // the second half keeps numbers out
}
