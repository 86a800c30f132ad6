namespace Granary.Bench.Engine;

/// <summary>A way in which llama.cpp runs the same weights.</summary>
/// <param name="WeightType">What its file holds: <c>f32</c> or <c>bf16</c>.</param>
/// <param name="KvType">What it holds KV in: <c>f32</c> or <c>f16</c>.</param>
internal sealed record PeerKind(string WeightType, string KvType)
{
    /// <summary>Gets those that our dtype is compared with.</summary>
    /// <remarks>With <c>--kv f32</c> it has our bits of KV, by a slow path; <c>--kv f16</c>, its best, reads half of them. It has no bfloat16 KV that is quicker.</remarks>
    public static IReadOnlyList<PeerKind> Of(string dtype) => dtype == "float32" ? [new("f32", "f32"), new("f32", "f16")] : [new("bf16", "f16")];

    public override string ToString() => $"llama.cpp {WeightType}, kv {KvType}";
}
