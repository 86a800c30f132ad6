using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Granary.Bench.Common;
using Granary.Inference.Benchmarks;

namespace Granary.Bench.Plan.Create;

/// <summary>What a run measured.</summary>
internal sealed record CreateReport : MeasuredReport
{
    private const double Target = 1.1;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) } };

    public required CreateOptions Options { get; init; }

    public required IReadOnlyList<CreateRow> Rows { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this, Json) + "\n";

    public string ToTable()
    {
        var text = new StringBuilder();
        Line($"{Path.GetFileName(Options.Model)}, {Options.Tokens} tokens, {Options.Threads} threads; {Machine($"{Options.Rounds} rounds")}");
        Line($"{Load}; store in {Options.Folder}");
        Line($"");
        Line($"{"dtype",-9} {"bare prefill, ms",18} {"until resident, ms",19} {"until durable, ms",18} {"durable / bare",16} {"target",7}");
        Line($"{"",-9} {"min",9}{"median",9} {"min",10}{"median",9} {"min",9}{"median",9} {"min",8}{"median",8}");
        foreach (var row in Rows)
        {
            Line($"{row.Dtype,-9} {Times(row.PrefillSeconds)}  {Times(row.ResidentSeconds)} {Times(row.StoredSeconds)} {row.RatioOfMinima,8:F3}{row.RatioOfMedians,8:F3} {"≤ ",5}{Target:F1}");
        }

        return text.ToString();

        void Line(FormattableString line) => Add(text, line);
    }

    private static string Times(IReadOnlyList<double> seconds) => string.Create(CultureInfo.InvariantCulture, $"{seconds.Min() * 1e3,9:F1}{Samples.Median(seconds) * 1e3,9:F1}");
}
