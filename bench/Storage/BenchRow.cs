using Granary.Inference.Benchmarks;

namespace Granary.Bench.Storage;

/// <summary>One piece of work: our seconds and the floor's, a pair for each round.</summary>
internal sealed class BenchRow(string work, string floor)
{
    private readonly List<double> _ours = [];
    private readonly List<double> _floors = [];

    public string Work { get; } = work;

    public string Floor { get; } = floor;

    public IReadOnlyList<double> Seconds => _ours;

    public IReadOnlyList<double> FloorSeconds => _floors;

    public double RatioOfMinima => _ours.Min() / _floors.Min();

    public double RatioOfMedians => Samples.Median(_ours) / Samples.Median(_floors);

    public void Add(double ours, double floor)
    {
        _ours.Add(ours);
        _floors.Add(floor);
    }
}
