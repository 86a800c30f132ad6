namespace Granary.Inference.Generation;

/// <summary>An answer.</summary>
public sealed record GenerationResult
{
    /// <summary>Gets why decoding ended: <c>eos</c>, <c>stop</c> or <c>length</c>.</summary>
    public required string FinishReason { get; init; }

    /// <summary>Gets the decoded ids, the one that ended the answer included.</summary>
    public required int[] TokenIds { get; init; }

    /// <summary>Gets each token's natural log-probability; where asked for.</summary>
    public double[]? LogProbabilities { get; init; }

    /// <summary>Gets each token's likeliest alternatives, likeliest first; where asked for.</summary>
    public ScoredToken[][]? TopLogProbabilities { get; init; }

    /// <summary>Gets the text up to the end-of-text token or the stop string; <see langword="null"/> without a tokenizer.</summary>
    public string? Text { get; init; }

    /// <summary>Gets the time that the answer took on the device thread.</summary>
    public TimeSpan DeviceTime { get; init; }
}
