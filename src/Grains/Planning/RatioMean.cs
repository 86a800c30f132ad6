namespace Granary.Grains.Planning;

/// <summary>How far a measurement pulls an estimate: an exponentially weighted mean, of ratios and not of differences, so that a speed that is wrong a hundredfold is soon right.</summary>
internal static class RatioMean
{
    private const double Weight = 0.3;    // of the newest
    private const double MostAtOnce = 32; // a single measurement may have waited for anything

    /// <summary>Gets by what an estimate is multiplied.</summary>
    /// <param name="measured">What was measured, above 0.</param>
    /// <param name="expected">What was expected, above 0.</param>
    public static double Pull(double measured, double expected) => Math.Pow(Math.Clamp(measured / expected, 1 / MostAtOnce, MostAtOnce), Weight);
}
