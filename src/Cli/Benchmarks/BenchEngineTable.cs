using System.Globalization;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;
using Granary.Inference.Benchmarks;

namespace Granary.Cli.Benchmarks;

/// <summary>The result of <c>bench engine</c>, for people.</summary>
internal static class BenchEngineTable
{
    /// <summary>Writes it.</summary>
    /// <param name="terminal">Where.</param>
    /// <param name="result">The document.</param>
    /// <param name="measured">What it was made of.</param>
    public static void Write(ITerminal terminal, EngineBenchmarkDocument result, EngineMeasurement measured)
    {
        var machine = result.Machine;
        terminal.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{result.Model}, {result.Dtype}, {result.Threads} threads on {machine.Processors} processors ({machine.Cpu}), {result.Rounds} rounds, {result.Started:yyyy-MM-dd HH:mm} UTC"));
        terminal.Out.WriteLine($"load {machine.LoadBefore} before, {machine.LoadAfter} after; numerics {result.Numerics}{(result.Exact ? "" : ", inexact")}");
        terminal.Out.WriteLine(
            $"rates, best and median: GEMM {Rate(result.GemmFlopsPerSecond.Max())} and {Rate(Samples.Median(result.GemmFlopsPerSecond))} GFLOP/s, read {Rate(result.ReadBytesPerSecond.Max())} and {Rate(Samples.Median(result.ReadBytesPerSecond))} GB/s");
        if (result.SelfTestSeconds.Count > 0)
        {
            terminal.Out.WriteLine($"self-test of a first load, which its time leaves out: {Milliseconds(result.SelfTestSeconds.Min())} ms, median {Milliseconds(Samples.Median(result.SelfTestSeconds))}");
        }

        terminal.Out.WriteLine();
        if (measured.Rows.Count > 0)
        {
            ResultTable.Write(
                terminal,
                ["work", ">ours min, ms", ">median", ">floor min, ms", ">median", ">ratio of minima", ">of medians", "floor is"],
                measured.Rows.Select(static row => (string[])
                [
                    row.Case.ToString(),
                    Milliseconds(row.Seconds.Min()), Milliseconds(Samples.Median(row.Seconds)),
                    Milliseconds(row.FloorSeconds.Min()), Milliseconds(Samples.Median(row.FloorSeconds)),
                    Ratio(row.RatioOfMinima), Ratio(row.RatioOfMedians),
                    row.Case.Floor,
                ]));
        }

        foreach (var row in measured.LeftOut)
        {
            terminal.Out.WriteLine($"left out: {row.Case}. {row.Reason}");
        }
    }

    private static string Rate(double perSecond) => (perSecond / 1e9).ToString("F1", CultureInfo.InvariantCulture);

    private static string Milliseconds(double seconds) => (1000 * seconds).ToString("F2", CultureInfo.InvariantCulture);

    private static string Ratio(double ratio) => ratio.ToString("F2", CultureInfo.InvariantCulture);
}
