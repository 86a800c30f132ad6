using Granary.Inference.Benchmarks;

namespace Granary.Bench.Engine;

/// <summary>What one engine took for one piece of work in one round, in seconds.</summary>
/// <param name="Least">The least of its repetitions.</param>
/// <param name="Middle">Their median.</param>
internal readonly record struct RoundSample(double Least, double Middle)
{
    public static RoundSample Of(IReadOnlyList<double> seconds) => new(seconds.Min(), Samples.Median(seconds));
}
