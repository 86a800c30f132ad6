using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Granary.Bench.Common;
using Granary.Inference.Benchmarks;

namespace Granary.Bench.Ask;

/// <summary>What a run measured.</summary>
internal sealed record BenchReport : MeasuredReport
{
    public required BenchOptions Options { get; init; }

    public required IReadOnlyList<BenchRow> Rows { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this, JsonSerializerOptions.Web) + "\n";

    public string ToTable()
    {
        var text = new StringBuilder();
        Line($"{Path.GetFileName(Path.TrimEndingDirectorySeparator(Options.Model))}, {Options.Threads} threads; {Machine($"{Options.Rounds} rounds")}");
        Line($"{Load}");
        Line($"");
        Line($"{"work",-6} {"measured",-48} {"best",10} {"median",10} {"unit",-9} {"against",-26} {"best",10} {"median",10}  {"by best",9} {"medians",9} {"target",8}  met");
        foreach (var row in Rows)
        {
            var other = row.Against is null
                ? string.Create(CultureInfo.InvariantCulture, $"{"",-26} {"",10} {"",10}  {"",9} {"",9}")
                : string.Create(CultureInfo.InvariantCulture, $"{row.Against,-26} {Short(Best(row))} {Short(Samples.Median(row.AgainstSamples))}  {Comparison(row, row.ByBest),9} {Comparison(row, row.ByMedians),9}");
            Line($"{row.Work,-6} {row.What,-48} {Short(row.Best)} {Short(row.Median)} {row.Unit,-9} {other} {Limit(row),8}  {row.Met}");
        }

        return text.ToString();

        void Line(FormattableString line) => Add(text, line);
    }

    private static double Best(BenchRow row) => row.MoreIsBetter ? row.AgainstSamples.Max() : row.AgainstSamples.Min();

    private static string Short(double value) => string.Create(CultureInfo.InvariantCulture, $"{value,10:#,0.0#}");

    private static string Comparison(BenchRow row, double? value) => (row.IsDifference
        ? FormattableStringFactory.Create("{0:+#,0.0#;-#,0.0#}", value)
        : FormattableStringFactory.Create("× {0:0.00}", value)).ToString(CultureInfo.InvariantCulture);

    private static string Limit(BenchRow row) => row.Target is { } target ? string.Create(CultureInfo.InvariantCulture, $"{(row.MoreIsBetter ? "≥" : "≤")} {target:0.##}") : "";
}
