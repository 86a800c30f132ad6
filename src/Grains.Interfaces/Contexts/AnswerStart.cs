namespace Granary.Contexts;

/// <summary>What an answer was admitted on: with the request, all that is needed to go on with it elsewhere.</summary>
/// <param name="ContextTokens">How many of the context's ids it follows: those of its version, whatever was put behind them since.</param>
/// <param name="Version">The context's version; <see langword="null"/> where none is stored.</param>
/// <param name="Incarnation">The life of the context's name; <see langword="null"/> where none is stored.</param>
/// <param name="Seed">The seed, drawn where the request named none; <see langword="null"/> for greedy answers.</param>
[GenerateSerializer, Immutable, Alias("granary.answer-start")]
public sealed record AnswerStart(
    [property: Id(0)] int ContextTokens,
    [property: Id(1)] long? Version,
    [property: Id(2)] string? Incarnation,
    [property: Id(3)] long? Seed);
