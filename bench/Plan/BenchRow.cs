using Granary.Inference.Benchmarks;

namespace Granary.Bench.Plan;

/// <summary>Times to the first token of one length of context: one of each way for each round.</summary>
internal sealed class BenchRow(int tokens)
{
    public int Tokens { get; } = tokens;

    /// <summary>Gets the seconds of asks that are planned, of contexts that are stored and not in memory.</summary>
    public List<double> Auto { get; } = [];

    /// <summary>Gets what the plan of each of these decided.</summary>
    public List<string> Decisions { get; } = [];

    /// <summary>Gets the seconds of asks with <c>--plan recompute</c>.</summary>
    public List<double> Recompute { get; } = [];

    /// <summary>Gets the seconds of asks of contexts in memory.</summary>
    public List<double> Resident { get; } = [];

    /// <summary>Gets the seconds of generations over contexts that nobody stored.</summary>
    public List<double> Unstored { get; } = [];

    /// <summary>Gets the seconds of the same with <c>--no-cache</c>.</summary>
    public List<double> NoCache { get; } = [];

    public double AutoToRecompute => Ratio(Auto, Recompute);

    public double ResidentToRecompute => Ratio(Resident, Recompute);

    public double UnstoredToNoCache => Ratio(Unstored, NoCache);

    private static double Ratio(List<double> ours, List<double> other) => Samples.Median(ours) / Samples.Median(other);
}
