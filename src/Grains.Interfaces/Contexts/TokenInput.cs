namespace Granary.Contexts;

/// <summary>What a caller gives as context or prompt: text, or token ids.</summary>
[GenerateSerializer, Immutable, Alias("granary.token-input")]
public sealed record TokenInput
{
    /// <summary>Gets the text, tokenized once where it arrives; special tokens in it are literal.</summary>
    [Id(0)]
    public string? Text { get; init; }

    /// <summary>Gets the token ids, taken as they are.</summary>
    [Id(1)]
    public int[]? TokenIds { get; init; }

    /// <summary>Wraps text.</summary>
    /// <param name="text">The text.</param>
    /// <returns>The input.</returns>
    public static TokenInput OfText(string text) => new() { Text = text };

    /// <summary>Wraps token ids.</summary>
    /// <param name="tokenIds">The ids.</param>
    /// <returns>The input.</returns>
    public static TokenInput OfTokens(params int[] tokenIds) => new() { TokenIds = tokenIds };
}
