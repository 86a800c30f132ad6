namespace Granary.Contexts;

/// <summary>A stored page that is not what a fresh prefill gives.</summary>
/// <param name="Page">Its index.</param>
/// <param name="Start">Its first token's position.</param>
/// <param name="Count">Its tokens.</param>
/// <param name="Fault"><c>differs</c>, or why its chunk could not be read: <c>absent</c>, or the check that it failed.</param>
/// <param name="Difference">Where and how much it differs; <see langword="null"/> where it could not be read.</param>
[GenerateSerializer, Immutable, Alias("granary.verified-page")]
public sealed record VerifiedPage(
    [property: Id(0)] int Page,
    [property: Id(1)] int Start,
    [property: Id(2)] int Count,
    [property: Id(3)] string Fault,
    [property: Id(4)] PageDifference? Difference = null);
