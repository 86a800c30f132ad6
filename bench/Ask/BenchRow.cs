using Granary.Bench.Common;

namespace Granary.Bench.Ask;

/// <summary>One thing that was measured, beside what it is compared with.</summary>
internal sealed record BenchRow
{
    public required string Work { get; init; }

    public required string What { get; init; }

    /// <summary>Gets the unit of all samples.</summary>
    public required string Unit { get; init; }

    public required IReadOnlyList<double> Samples { get; init; }

    /// <summary>Gets what the other samples are of.</summary>
    /// <value><see langword="null"/> where there is nothing to compare with.</value>
    public string? Against { get; init; }

    public IReadOnlyList<double> AgainstSamples { get; init; } = [];

    /// <summary>Gets whether the comparison is a difference in <see cref="Unit"/>, and no ratio.</summary>
    public bool IsDifference { get; init; }

    /// <summary>Gets whether more is better, as of a throughput.</summary>
    public bool MoreIsBetter { get; init; }

    public double? Target { get; init; }

    public double Best => BestOf(Samples);

    public double Median => Inference.Benchmarks.Samples.Median(Samples);

    /// <summary>Gets the comparison best by best.</summary>
    public double? ByBest => Against is null ? null : Compare(Best, BestOf(AgainstSamples));

    /// <summary>Gets the comparison median by median.</summary>
    public double? ByMedians => Against is null ? null : Compare(Median, Inference.Benchmarks.Samples.Median(AgainstSamples));

    public string Met
    {
        get
        {
            // Without a comparison the target is the measurement's own.
            var (best, median) = (ByBest ?? Best, ByMedians ?? Median);
            return MoreIsBetter ? Verdict.Of(-Target, -best, -median) : Verdict.Of(Target, best, median);
        }
    }

    private double BestOf(IReadOnlyList<double> samples) => MoreIsBetter ? samples.Max() : samples.Min();

    private double Compare(double ours, double other) => IsDifference ? ours - other : ours / other;
}
