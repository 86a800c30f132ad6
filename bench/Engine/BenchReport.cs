using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Granary.Bench.Common;
using Spectre.Console;

namespace Granary.Bench.Engine;

/// <summary>What a run measured.</summary>
internal sealed record BenchReport : MeasuredReport
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public required int Threads { get; init; }

    public required int Rounds { get; init; }

    public required int Repeats { get; init; }

    public required IReadOnlyList<ModelReport> Models { get; init; }

    /// <summary>Writes the document: comparisons, and every process's own document.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>Writes tables in Markdown, which a note can take as they are.</summary>
    public void WriteTables(TextWriter writer)
    {
        writer.WriteLine($"{Threads} threads on {Machine($"{Rounds} rounds of {Repeats}")}; {Load}");
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Out = new AnsiConsoleOutput(writer) });
        console.Profile.Width = 250; // a table that is broken is no table
        foreach (var model in Models)
        {
            writer.WriteLine();
            writer.WriteLine($"{model.Shape}, {model.Dtype}, numerics {model.Numerics}"); // the table brings its empty lines
            console.Write(model.ToTable());
        }
    }
}

/// <summary>One model in one dtype.</summary>
internal sealed record ModelReport(string Shape, string Dtype, string Numerics, IReadOnlyList<Comparison> Comparisons, IReadOnlyList<EngineRun> Runs)
{
    public Table ToTable()
    {
        var table = new Table { Border = TableBorder.Markdown };
        table.AddColumn("work");
        table.AddColumn("against");
        foreach (var column in new[] { "ours min, ms", "median", "theirs min, ms", "median", "ratio of minima", "of medians", "target" })
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        table.AddColumn("met");
        foreach (var row in Comparisons)
        {
            table.AddRow(
                row.Work, row.Against,
                Milliseconds(row.Ours.Least), Milliseconds(row.Ours.Middle), Milliseconds(row.Theirs.Least), Milliseconds(row.Theirs.Middle),
                Ratio(row.RatioOfMinima), Ratio(row.RatioOfMedians), row.Target is { } target ? $"≤ {Ratio(target)}" : "", row.Met);
        }

        return table;
    }

    private static string Milliseconds(double seconds) => (1000 * seconds).ToString("F2", CultureInfo.InvariantCulture);

    private static string Ratio(double ratio) => ratio.ToString("F2", CultureInfo.InvariantCulture);
}

/// <summary>What one process printed.</summary>
internal sealed record EngineRun(int Round, string Unit, string Engine, JsonNode Document);
