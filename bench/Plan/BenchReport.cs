using System.Globalization;
using System.Text;
using System.Text.Json;
using Granary.Bench.Common;
using Granary.Inference.Benchmarks;

namespace Granary.Bench.Plan;

/// <summary>What a run measured.</summary>
internal sealed record BenchReport : MeasuredReport
{
    public required BenchOptions Options { get; init; }

    public required IReadOnlyList<BenchRow> Rows { get; init; }

    // A connection string has a key in it.
    public string ToJson() => JsonSerializer.Serialize(this with { Options = Options with { Store = StoreName } }, JsonSerializerOptions.Web) + "\n";

    public string ToTable()
    {
        var text = new StringBuilder();
        Line($"{Path.GetFileName(Options.Model)}, {Options.Dtype}, {Options.Threads} threads; {Machine($"{Options.Rounds} rounds")}");
        Line($"{Load}; store {StoreName}{Slowed}");
        Line($"");
        Line($"time to first token, ms: median ({Rows[0].Auto.Count} of each) and minimum");
        Line($"{"tokens",6} {"planned",17} {"recomputed",17} {"ratio",6} {"resident",17} {"ratio",6} {"not stored",17} {"no cache",17} {"ratio",6}  decided");
        foreach (var row in Rows)
        {
            Line($"{row.Tokens,6} {Time(row.Auto)} {Time(row.Recompute)} {row.AutoToRecompute,6:F2} {Time(row.Resident)} {row.ResidentToRecompute,6:F2} {Time(row.Unstored)} {Time(row.NoCache)} {row.UnstoredToNoCache,6:F2}  {string.Join(", ", row.Decisions.CountBy(static decision => decision).Select(static count => $"{count.Key} {count.Value}"))}");
        }

        return text.ToString();

        void Line(FormattableString line) => Add(text, line);
    }

    private string StoreName => Options.Store.Contains('=', StringComparison.Ordinal) ? "an Azure account" : Options.Store;

    private string Slowed => Options.Delay > TimeSpan.Zero || Options.BytesPerSecond is not null
        ? string.Create(CultureInfo.InvariantCulture, $", slowed: {Options.Delay.TotalMilliseconds:F0} ms a call{(Options.BytesPerSecond is { } rate ? $", {rate / 1e6:F1} MB/s" : "")}")
        : "";

    private static string Time(IReadOnlyList<double> seconds) => string.Create(CultureInfo.InvariantCulture, $"{Samples.Median(seconds) * 1e3,8:F2} {seconds.Min() * 1e3,8:F2}");
}
