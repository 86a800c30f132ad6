namespace Granary.Models;

/// <summary>A model that a silo serves: what its id names, and what its answers' bits depend on.</summary>
[GenerateSerializer, Immutable, Alias("granary.model-description")]
public sealed record ModelDescription
{
    /// <summary>Gets the model id.</summary>
    [Id(0)]
    public required string Model { get; init; }

    /// <summary>Gets what is computed in: <c>float32</c>, <c>bfloat16</c> or <c>float64</c>.</summary>
    [Id(1)]
    public required string Dtype { get; init; }

    /// <summary>Gets how KV is stored: <c>none</c>.</summary>
    [Id(2)]
    public required string Codec { get; init; }

    /// <summary>Gets the tokens of a page.</summary>
    [Id(3)]
    public required int PageSize { get; init; }

    /// <summary>Gets the KV fingerprint: config and weights, hexadecimal.</summary>
    [Id(4)]
    public required string Fingerprint { get; init; }

    /// <summary>Gets the tokenizer's digest; <see langword="null"/> where the folder has none.</summary>
    [Id(5)]
    public string? TokenizerDigest { get; init; }

    /// <summary>Gets the numerics id of the silos that serve it; <see langword="null"/> where none does, or where they differ.</summary>
    [Id(6)]
    public string? Numerics { get; init; }

    /// <summary>Gets the tokens that fit: context, prompt and answer.</summary>
    [Id(7)]
    public required int Window { get; init; }

    /// <summary>Gets the KV bytes of one token.</summary>
    [Id(8)]
    public required long KvBytesPerToken { get; init; }

    /// <summary>Gets the silos that serve it.</summary>
    [Id(9)]
    public string[] Silos { get; init; } = [];

    /// <summary>Gets whether the promise of equal bits holds on every silo that serves it; <see langword="null"/> where none does.</summary>
    [Id(10)]
    public bool? Exact { get; init; }
}
