using Granary.Inference.Pages;

namespace Granary.Inference.Benchmarks;

/// <summary>What a codec does to a model's KV and answers, beside no codec.</summary>
public sealed record CodecMeasurement
{
    /// <summary>Gets the codec.</summary>
    public required KvCodec Codec { get; init; }

    /// <summary>Gets the contexts that were computed.</summary>
    public required int Contexts { get; init; }

    /// <summary>Gets those that were left out: with an answer they exceed the model's window, or they are empty.</summary>
    public required int LeftOut { get; init; }

    /// <summary>Gets the bytes of all contexts' KV in memory.</summary>
    public required long ResidentBytes { get; init; }

    /// <summary>Gets their bytes as chunks have them, headers and token ids not counted.</summary>
    public required long StoredBytes { get; init; }

    /// <summary>Gets how many resident bytes a second are rounded, once a page is computed; one thread.</summary>
    public required double RoundBytesPerSecond { get; init; }

    /// <summary>Gets how many resident bytes a second are encoded; one thread.</summary>
    public required double EncodeBytesPerSecond { get; init; }

    /// <summary>Gets how many resident bytes a second are decoded; one thread.</summary>
    public required double DecodeBytesPerSecond { get; init; }

    /// <summary>Gets the largest difference of a logit, over all tokens of the vocabulary at all positions of the answers that are given without a codec.</summary>
    public required double LargestLogitDifference { get; init; }

    /// <summary>Gets how many greedy tokens were compared: all of those answers.</summary>
    public required int Tokens { get; init; }

    /// <summary>Gets how many of them are others with the codec, after the same tokens before.</summary>
    public required int ChangedTokens { get; init; }

    /// <summary>Gets the answers.</summary>
    public required int Answers { get; init; }

    /// <summary>Gets how many answers are others with the codec, as a user sees them.</summary>
    public required int ChangedAnswers { get; init; }
}
