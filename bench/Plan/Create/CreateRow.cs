using Granary.Inference.Benchmarks;

namespace Granary.Bench.Plan.Create;

/// <summary>Times of one dtype, in seconds: one of each for each round.</summary>
internal sealed class CreateRow(string dtype)
{
    private readonly List<double> _prefill = [];
    private readonly List<double> _resident = [];
    private readonly List<double> _stored = [];

    public string Dtype { get; } = dtype;

    public IReadOnlyList<double> PrefillSeconds => _prefill;

    public IReadOnlyList<double> ResidentSeconds => _resident;

    public IReadOnlyList<double> StoredSeconds => _stored;

    public double RatioOfMinima => _stored.Min() / _prefill.Min();

    public double RatioOfMedians => Samples.Median(_stored) / Samples.Median(_prefill);

    public void Add(double prefill, double resident, double stored)
    {
        _prefill.Add(prefill);
        _resident.Add(resident);
        _stored.Add(stored);
    }
}
