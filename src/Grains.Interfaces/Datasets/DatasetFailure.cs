namespace Granary.Datasets;

/// <summary>Why an item failed.</summary>
/// <param name="Item">The item's id.</param>
/// <param name="Code">One of <see cref="Errors.ErrorCodes"/>.</param>
/// <param name="Message">What happened.</param>
[GenerateSerializer, Immutable, Alias("granary.dataset-failure")]
public sealed record DatasetFailure([property: Id(0)] string Item, [property: Id(1)] string Code, [property: Id(2)] string Message);
