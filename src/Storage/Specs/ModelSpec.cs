namespace Granary.Storage.Specs;

/// <summary>What a model id names, fixed by the first silo that serves it.</summary>
public sealed record ModelSpec
{
    /// <summary>Gets the model id.</summary>
    public required string Model { get; init; }

    /// <summary>Gets the KV fingerprint: config and weights, hexadecimal.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>Gets the tokenizer's digest; <see langword="null"/> where the folder has none.</summary>
    public string? TokenizerDigest { get; init; }

    /// <summary>Gets what KV is held in: <c>float32</c>, <c>bfloat16</c> or <c>float64</c>.</summary>
    public required string Dtype { get; init; }

    /// <summary>Gets how KV is stored.</summary>
    public required string Codec { get; init; }

    /// <summary>Gets the tokens of a page.</summary>
    public required int PageSize { get; init; }

    /// <summary>Gets the tokens that fit: context, prompt and answer.</summary>
    public required int Window { get; init; }

    /// <summary>Gets the KV bytes of one token.</summary>
    public required long KvBytesPerToken { get; init; }
}

/// <summary>A spec as it is stored.</summary>
internal sealed record ModelSpecDocument(int FormatVersion, ModelSpec Spec)
{
    public const int CurrentFormatVersion = 1;
}
