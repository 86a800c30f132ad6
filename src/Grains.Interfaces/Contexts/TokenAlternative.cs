namespace Granary.Contexts;

/// <summary>One alternative to a decoded token.</summary>
/// <param name="Id">The token.</param>
/// <param name="LogProbability">Its natural log-probability.</param>
[GenerateSerializer, Immutable, Alias("granary.token-alternative")]
public readonly record struct TokenAlternative([property: Id(0)] int Id, [property: Id(1)] double LogProbability);
