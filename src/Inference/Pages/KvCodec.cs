namespace Granary.Inference.Pages;

/// <summary>How KV is stored, and held: what a codec loses is lost in the resident page too, before anything reads it.</summary>
public enum KvCodec
{
    /// <summary>Every bit of what was computed.</summary>
    None,

    /// <summary>bfloat16 of float32, rounded to nearest even: half the bytes.</summary>
    BFloat16,
}

/// <summary>Names of <see cref="KvCodec"/>, and what each is for.</summary>
public static class KvCodecs
{
    /// <summary>Gets the name that settings and documents use.</summary>
    /// <param name="codec">The codec.</param>
    /// <returns><c>none</c> or <c>bfloat16</c>.</returns>
    public static string Name(this KvCodec codec) => codec == KvCodec.BFloat16 ? "bfloat16" : "none";

    /// <summary>Parses <see cref="Name"/>.</summary>
    /// <param name="name">The name.</param>
    /// <param name="codec">The codec.</param>
    /// <returns>Whether it is one.</returns>
    public static bool TryParse(string name, out KvCodec codec)
    {
        codec = name == "bfloat16" ? KvCodec.BFloat16 : KvCodec.None;
        return codec.Name() == name;
    }

    /// <summary>Gets what a chunk's numbers are.</summary>
    /// <param name="codec">The codec.</param>
    /// <param name="dtype">What is computed in.</param>
    /// <returns>The dtype of the stored KV; <see langword="null"/> where the codec is not for KV of this dtype.</returns>
    public static KvDtype? StoredDtype(this KvCodec codec, KvDtype dtype) => (codec, dtype) switch
    {
        (KvCodec.None, _) => dtype,
        (KvCodec.BFloat16, KvDtype.Float32) => KvDtype.BFloat16,
        _ => null,
    };
}
