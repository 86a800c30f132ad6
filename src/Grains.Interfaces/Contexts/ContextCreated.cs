namespace Granary.Contexts;

/// <summary>A created context, and the work it took.</summary>
/// <param name="Context">The context.</param>
/// <param name="Existed">It was stored already; nothing was computed.</param>
/// <param name="PrefilledTokens">Tokens computed by this call.</param>
/// <param name="RestoredTokens">Tokens whose pages were found in the store.</param>
/// <param name="WrittenBytes">Chunk bytes written by this call.</param>
/// <param name="PrefillSeconds">Time the engine spent on this call's pages.</param>
/// <param name="Numerics">The numerics id that its pages are stored under.</param>
/// <param name="Exact">Whether the promise of equal bits holds for that numerics id.</param>
/// <param name="Version">The version that this call made, or an earlier one of the same operation; the context may have a newer one by now.</param>
[GenerateSerializer, Immutable, Alias("granary.context-created")]
public sealed record ContextCreated(
    [property: Id(0)] ContextDescription Context,
    [property: Id(1)] bool Existed,
    [property: Id(2)] int PrefilledTokens,
    [property: Id(3)] int RestoredTokens,
    [property: Id(4)] long WrittenBytes,
    [property: Id(5)] double PrefillSeconds,
    [property: Id(6)] string Numerics,
    [property: Id(7)] bool Exact,
    [property: Id(8)] long Version);
