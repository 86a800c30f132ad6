namespace Granary.Contexts;

/// <summary>One step of a context's creation.</summary>
/// <param name="Stage">What has been reached.</param>
/// <param name="DoneTokens">Tokens whose KV exists by now.</param>
/// <param name="TotalTokens">Tokens of the context.</param>
/// <param name="Result">The context; present with <see cref="ContextStage.Stored"/> only.</param>
[GenerateSerializer, Immutable, Alias("granary.context-progress")]
public sealed record ContextProgress(
    [property: Id(0)] ContextStage Stage,
    [property: Id(1)] int DoneTokens,
    [property: Id(2)] int TotalTokens,
    [property: Id(3)] ContextCreated? Result = null);
