namespace Granary.Datasets;

/// <summary>What one context would take.</summary>
/// <param name="Tokens">Its tokens; 0 where it could not be created.</param>
/// <param name="Pages">Its pages, in order.</param>
/// <param name="Exact">Whether the promise of equal bits holds where it would be computed.</param>
/// <param name="Code">Why it could not be created, one of <see cref="Errors.ErrorCodes"/>; <see langword="null"/> where it could.</param>
/// <param name="Message">The same in words.</param>
[GenerateSerializer, Immutable, Alias("granary.context-estimate")]
public sealed record ContextEstimate(
    [property: Id(0)] int Tokens,
    [property: Id(1)] PageEstimate[] Pages,
    [property: Id(2)] bool Exact,
    [property: Id(3)] string? Code = null,
    [property: Id(4)] string? Message = null);
