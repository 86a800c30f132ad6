using Granary.Inference.Benchmarks;

namespace Granary.Bench.Engine;

/// <summary>What one model's engines took, round by round.</summary>
internal sealed class Series
{
    /// <summary>Our name.</summary>
    public const string Ours = "granary";

    /// <summary>The name under which our rows' floors are kept.</summary>
    public const string Floor = "floor";

    private readonly Dictionary<(string Engine, RowKey Key), List<RoundSample>> _samples = [];

    /// <summary>Adds a round's sample.</summary>
    public void Add(string engine, RowKey key, RoundSample sample)
    {
        if (!_samples.TryGetValue((engine, key), out var rounds))
        {
            _samples[(engine, key)] = rounds = [];
        }

        rounds.Add(sample);
    }

    /// <summary>Adds a run of ours, floors included.</summary>
    /// <remarks>The peer gives one figure of a decode a run, and the least of many is less than the least of few: ours gives one too, the median of its repeats.</remarks>
    public void Add(OurRun run)
    {
        foreach (var row in run.Rows)
        {
            var sample = RoundSample.Of(row.Seconds);
            Add(Ours, row.Key, row.Work == "decode" ? sample with { Least = sample.Middle } : sample);
            Add(Floor, row.Key, RoundSample.Of(row.FloorSeconds));
        }
    }

    /// <summary>Gets the least and the median of all rounds; <see langword="null"/> where there are none.</summary>
    public RoundSample? Find(string engine, RowKey key) => _samples.TryGetValue((engine, key), out var rounds)
        ? new RoundSample(rounds.Min(static round => round.Least), Samples.Median([.. rounds.Select(static round => round.Middle)]))
        : null;

    /// <summary>Gets what was measured of an engine.</summary>
    public IEnumerable<RowKey> KeysOf(string engine) => _samples.Keys.Where(sample => sample.Engine == engine).Select(static sample => sample.Key);
}
