namespace Granary.Grains.Planning;

/// <summary>What a page costs either way.</summary>
/// <param name="Bytes">What its chunk has to read.</param>
/// <param name="Operations">The floating-point operations that compute it.</param>
internal readonly record struct PlannedPage(long Bytes, double Operations);
