namespace Granary.Inference.Benchmarks;

/// <summary>What was measured of one case.</summary>
/// <param name="Case">The case.</param>
/// <param name="Seconds">Ours, one for each round; of a decode step, the mean of the successive steps of that round.</param>
/// <param name="FloorSeconds">The floor's, at the rates of the same round.</param>
public sealed record BenchmarkRow(BenchmarkCase Case, IReadOnlyList<double> Seconds, IReadOnlyList<double> FloorSeconds)
{
    /// <summary>Gets the least time over the least floor, which a busy machine disturbs least.</summary>
    public double RatioOfMinima => Seconds.Min() / FloorSeconds.Min();

    /// <summary>Gets the median time over the median floor, which is what one gets.</summary>
    public double RatioOfMedians => Samples.Median(Seconds) / Samples.Median(FloorSeconds);
}
