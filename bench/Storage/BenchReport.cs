using System.Globalization;
using System.Text;
using System.Text.Json;
using Granary.Inference.Benchmarks;

namespace Granary.Bench.Storage;

/// <summary>What a run measured.</summary>
internal sealed record BenchReport
{
    public required DateTimeOffset Started { get; init; }

    public string Cpu { get; } = MachineFacts.Cpu;

    public int Processors { get; } = Environment.ProcessorCount;

    public required string LoadBefore { get; init; }

    public required string LoadAfter { get; init; }

    public required string Shape { get; init; }

    public required string Dtype { get; init; }

    public required string Folder { get; init; }

    public required IReadOnlyList<BenchRow> Rows { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this, JsonSerializerOptions.Web) + "\n";

    public string ToTable()
    {
        var text = new StringBuilder();
        Line($"KV of {Shape}, {Dtype}; {Processors} processors ({Cpu}), {Rows[0].Seconds.Count} rounds, {Started:yyyy-MM-dd HH:mm} UTC");
        Line($"load {LoadBefore} before, {LoadAfter} after; chunks in {Folder}");
        Line($"");
        Line($"{"work",-32} {"ours, ms",18} {"floor, ms",18} {"ours / floor",14}  floor is");
        Line($"{"",-32} {"min",9}{"median",9} {"min",9}{"median",9} {"min",7}{"median",7}");
        foreach (var row in Rows)
        {
            Line($"{row.Work,-32} {Least(row.Seconds),9:F2}{Middle(row.Seconds),9:F2} {Least(row.FloorSeconds),9:F2}{Middle(row.FloorSeconds),9:F2} {row.RatioOfMinima,7:F2}{row.RatioOfMedians,7:F2}  {row.Floor}");
        }

        return text.ToString();

        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture).TrimEnd()).Append('\n');
    }

    private static double Least(IReadOnlyList<double> seconds) => seconds.Min() * 1e3;

    private static double Middle(IReadOnlyList<double> seconds) => Samples.Median(seconds) * 1e3;
}
