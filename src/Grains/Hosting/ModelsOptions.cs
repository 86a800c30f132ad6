namespace Granary.Grains.Hosting;

/// <summary>The models that a silo serves, by id. Bound to <c>Granary:Models</c>.</summary>
public sealed class ModelsOptions : Dictionary<string, ModelOptions>;

/// <summary>One model that a silo serves.</summary>
public sealed class ModelOptions
{
    /// <summary>Gets or sets the Hugging Face folder.</summary>
    public string Path { get; set; } = "";

    /// <summary>Gets or sets what is computed in.</summary>
    /// <value><c>float32</c>, <c>bfloat16</c> or <c>float64</c>. Default: <c>float32</c>.</value>
    public string Dtype { get; set; } = "float32";

    /// <summary>Gets or sets how KV is stored and held.</summary>
    /// <value><c>none</c> or, for float32, <c>bfloat16</c>: half the stored bytes, and other answers. Default: <c>none</c>.</value>
    public string Codec { get; set; } = "none";
}
