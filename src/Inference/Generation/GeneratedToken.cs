namespace Granary.Inference.Generation;

/// <summary>One decoded token.</summary>
/// <param name="Index">0 for the answer's first token.</param>
/// <param name="Id">The token.</param>
/// <param name="Text">The text that became certain with it, whole characters only; <see langword="null"/> without a tokenizer.</param>
/// <param name="LogProbability">Its natural log-probability, before temperature and cuts; where asked for.</param>
/// <param name="Top">The likeliest alternatives, likeliest first; where asked for.</param>
public readonly record struct GeneratedToken(int Index, int Id, string? Text, double? LogProbability, ScoredToken[]? Top);
