using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Granary.Bench.FirstLight;

/// <summary>What a run measured.</summary>
internal sealed record BenchReport
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public required DateTimeOffset Started { get; init; }

    public required string Model { get; init; }

    public required string Dtype { get; init; }

    public required string Folder { get; init; }

    public required int Threads { get; init; }

    public string Cpu { get; } = File.Exists("/proc/cpuinfo")
        ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(": ")[^1] ?? "unknown"
        : "unknown";

    public int Processors { get; } = Environment.ProcessorCount;

    /// <summary>Gets the machine's load before and after, as the kernel states it over one minute. A run alone brings it near its threads.</summary>
    public required string LoadBefore { get; init; }

    public required string LoadAfter { get; init; }

    public required IReadOnlyList<double> GemmFlopsPerSecond { get; init; }

    public required IReadOnlyList<double> ReadBytesPerSecond { get; init; }

    public required IReadOnlyList<BenchRow> Rows { get; init; }

    public static string Load() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "unknown";

    public string ToJson() => JsonSerializer.Serialize(this, Json) + "\n";

    public string ToTable()
    {
        var text = new StringBuilder();
        Line($"{Model}, {Dtype}, {Threads} threads on {Processors} processors ({Cpu}), {Rows[0].OursSeconds.Count} rounds, {Started:yyyy-MM-dd HH:mm} UTC");
        Line($"load {LoadBefore} before, {LoadAfter} after; chunks in {Folder}");
        Line($"rates, best and median: GEMM {GemmFlopsPerSecond.Max() / 1e9:F0} and {BenchRow.Median(GemmFlopsPerSecond) / 1e9:F0} GFLOP/s, read {ReadBytesPerSecond.Max() / 1e9:F1} and {BenchRow.Median(ReadBytesPerSecond) / 1e9:F1} GB/s");
        Line($"");
        Line($"{"work",-32} {"ours, ms",18} {"floor, ms",18} {"ours / floor",14}  floor is");
        Line($"{"",-32} {"min",9}{"median",9} {"min",9}{"median",9} {"min",7}{"median",7}");
        foreach (var row in Rows)
        {
            Line($"{row.Work,-32} {Least(row.OursSeconds),9:F2}{Middle(row.OursSeconds),9:F2} {Least(row.FloorSeconds),9:F2}{Middle(row.FloorSeconds),9:F2} {row.RatioOfMinima,7:F2}{row.RatioOfMedians,7:F2}  {row.Floor}");
        }

        return text.ToString();

        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture).TrimEnd()).Append('\n');
    }

    private static double Least(IReadOnlyList<double> seconds) => seconds.Min() * 1e3;

    private static double Middle(IReadOnlyList<double> seconds) => BenchRow.Median(seconds) * 1e3;
}
