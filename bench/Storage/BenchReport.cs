using System.Globalization;
using System.Text;
using System.Text.Json;
using Granary.Bench.Common;
using Granary.Inference.Benchmarks;

namespace Granary.Bench.Storage;

/// <summary>What a run measured.</summary>
internal sealed record BenchReport : MeasuredReport
{
    public required string Shape { get; init; }

    public required string Folder { get; init; }

    public required int Rounds { get; init; }

    public required IReadOnlyList<BenchTable> Tables { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this, JsonSerializerOptions.Web) + "\n";

    public string ToText()
    {
        var text = new StringBuilder();
        Line($"{Machine($"{Rounds} rounds")}");
        Line($"{Load}; the folder is in {Folder}, memory is /dev/shm");
        foreach (var table in Tables)
        {
            Line($"");
            Line($"KV of {SamplePages.Tokens} tokens of {Shape} in {table.Dtype}, {table.Bytes / 1e6:F1} MB");
            Line($"{"work",-14} {"ours, ms",18} {"GB/s",13}  {"against",-24} {"theirs, ms",18} {"GB/s",13} {"ours / theirs",14} {"target",7}  met");
            Line($"{"",-14} {"min",9}{"median",9} {"best",6}{"median",7}  {"",-24} {"min",9}{"median",9} {"best",6}{"median",7} {"min",7}{"median",7}");
            foreach (var row in table.Rows)
            {
                Line($"{row.Work,-14} {Times(row.Seconds, row.Bytes)}  {row.Against,-24} {Times(row.AgainstSeconds, row.Bytes)} {row.RatioOfMinima,7:F2}{row.RatioOfMedians,7:F2} {(row.Target is { } target ? string.Create(CultureInfo.InvariantCulture, $"≤ {target:F1}") : ""),7}  {row.Met}");
            }
        }

        return text.ToString();

        void Line(FormattableString line) => Add(text, line);
    }

    private static string Times(IReadOnlyList<double> seconds, long bytes)
    {
        var (least, middle) = (seconds.Min(), Samples.Median(seconds));
        return string.Create(CultureInfo.InvariantCulture, $"{least * 1e3,9:F2}{middle * 1e3,9:F2} {bytes / least / 1e9,6:F2}{bytes / middle / 1e9,7:F2}");
    }
}

/// <summary>One dtype's rows.</summary>
internal sealed record BenchTable(string Dtype, long Bytes, IReadOnlyList<BenchRow> Rows);
