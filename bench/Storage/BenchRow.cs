using Granary.Bench.Common;
using Granary.Inference.Benchmarks;

namespace Granary.Bench.Storage;

/// <summary>Ours against something else: seconds of each, a pair for each round, and what was aimed at.</summary>
/// <param name="Work">What was done.</param>
/// <param name="Against">What it is compared with.</param>
/// <param name="Bytes">What was moved.</param>
/// <param name="Seconds">Ours.</param>
/// <param name="AgainstSeconds">The other's.</param>
/// <param name="Target">The ratio that was aimed at; <see langword="null"/> for none.</param>
internal sealed record BenchRow(string Work, string Against, long Bytes, IReadOnlyList<double> Seconds, IReadOnlyList<double> AgainstSeconds, double? Target)
{
    public double RatioOfMinima => Seconds.Min() / AgainstSeconds.Min();

    public double RatioOfMedians => Samples.Median(Seconds) / Samples.Median(AgainstSeconds);

    /// <summary>Gets whether the target is met, as <see cref="Verdict"/> says it.</summary>
    public string Met => Verdict.Of(Target, RatioOfMinima, RatioOfMedians);
}
