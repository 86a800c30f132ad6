namespace Granary.Bench.FirstLight;

/// <summary>One piece of work: our seconds and the floor's, a pair for each round.</summary>
internal sealed class BenchRow(string work, string floor)
{
    private readonly List<double> _ours = [];
    private readonly List<double> _floors = [];

    public string Work { get; } = work;

    public string Floor { get; } = floor;

    public IReadOnlyList<double> OursSeconds => _ours;

    public IReadOnlyList<double> FloorSeconds => _floors;

    public double RatioOfMinima => _ours.Min() / _floors.Min();

    public double RatioOfMedians => Median(_ours) / Median(_floors);

    public static double Median(IReadOnlyList<double> samples)
    {
        double[] sorted = [.. samples.Order()];
        var middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    public void Add(double oursSeconds, double floorSeconds)
    {
        _ours.Add(oursSeconds);
        _floors.Add(floorSeconds);
    }
}
