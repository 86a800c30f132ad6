namespace Granary.Cli.Documents;

/// <summary>The result of <c>bench store --codecs</c>; <c>Codecs</c> begins with none.</summary>
internal sealed record CodecBenchmarkDocument
{
    public required DateTimeOffset Started { get; init; }

    public required MachineDocument Machine { get; init; }

    public required string Model { get; init; }

    public required string Dataset { get; init; }

    /// <summary>Gets the contexts that were compared.</summary>
    public required int Contexts { get; init; }

    /// <summary>Gets the contexts that exceed the model's window with a prompt and an answer, or have nothing to ask.</summary>
    public required int LeftOut { get; init; }

    public required int Answers { get; init; }

    public required int MaxNewTokens { get; init; }

    public required IReadOnlyList<CodecDocument> Codecs { get; init; }
}

/// <summary>One codec, beside none.</summary>
/// <param name="Codec"><c>none</c> or <c>bfloat16</c>.</param>
/// <param name="StoredBytes">The KV of all contexts as it is stored.</param>
/// <param name="RoundBytesPerSecond">Resident bytes that are rounded; null where nothing is.</param>
/// <param name="EncodeBytesPerSecond">Resident bytes that are encoded.</param>
/// <param name="DecodeBytesPerSecond">Resident bytes that are decoded.</param>
/// <param name="LargestLogitDifference">Of equal input.</param>
/// <param name="Tokens">Greedy tokens that were compared.</param>
/// <param name="ChangedTokens">Those that are others after the same tokens before.</param>
/// <param name="ChangedAnswers">Answers that are others as a user sees them.</param>
internal sealed record CodecDocument(
    string Codec,
    long StoredBytes,
    double? RoundBytesPerSecond,
    double? EncodeBytesPerSecond,
    double? DecodeBytesPerSecond,
    double LargestLogitDifference,
    int Tokens,
    int ChangedTokens,
    int ChangedAnswers);
