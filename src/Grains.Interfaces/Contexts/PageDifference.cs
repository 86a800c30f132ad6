namespace Granary.Contexts;

/// <summary>How two copies of a page differ.</summary>
/// <param name="Values">How many numbers differ.</param>
/// <param name="Layer">The first one's layer.</param>
/// <param name="Kind"><c>key</c> or <c>value</c>.</param>
/// <param name="Head">The first one's head.</param>
/// <param name="Position">The first one's position in the context.</param>
/// <param name="Channel">The first one's channel.</param>
/// <param name="Largest">The largest difference; infinite where one of the two is no finite number.</param>
[GenerateSerializer, Immutable, Alias("granary.page-difference")]
public sealed record PageDifference(
    [property: Id(0)] long Values,
    [property: Id(1)] int Layer,
    [property: Id(2)] string Kind,
    [property: Id(3)] int Head,
    [property: Id(4)] int Position,
    [property: Id(5)] int Channel,
    [property: Id(6)] double Largest);
