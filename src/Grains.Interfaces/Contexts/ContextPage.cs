namespace Granary.Contexts;

/// <summary>Some contexts of a listing, ordered by model and name.</summary>
/// <param name="Items">The contexts. One whose manifest cannot be trusted has the state <c>invalid</c>.</param>
/// <param name="Continuation">What the next page's <see cref="ContextListRequest.After"/> must be; <see langword="null"/> where there is none.</param>
[GenerateSerializer, Immutable, Alias("granary.context-page")]
public sealed record ContextPage([property: Id(0)] ContextDescription[] Items, [property: Id(1)] string? Continuation);
