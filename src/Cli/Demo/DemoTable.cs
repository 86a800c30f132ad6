using System.Globalization;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;

namespace Granary.Cli.Demo;

/// <summary>The demo's result, for people.</summary>
internal static class DemoTable
{
    /// <summary>Writes it.</summary>
    /// <param name="terminal">Where.</param>
    /// <param name="result">The result.</param>
    public static void Write(ITerminal terminal, DemoDocument result) => ResultTable.Write(
        terminal,
        ["", ">result"],
        [
            ["contexts", Number(result.Contexts)],
            ["tokens", Number(result.Tokens)],
            ["bytes stored", ByteSizes.Show(result.StoredBytes)],
            ["prefill", $"{Number(result.PrefillTokensPerSecond)} tokens/s"],
            ["time to first token, without cache", Milliseconds(result.FirstTokenSeconds.NoCache)],
            ["time to first token, resident", Milliseconds(result.FirstTokenSeconds.Resident)],
            ["time to first token, restored", Milliseconds(result.FirstTokenSeconds.Restored)],
            ["exact match", Share(result.ExactMatch)],
            ["equal answers, all three ways", Share(result.EqualAnswers)],
        ]);

    private static string Number(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Milliseconds(double seconds) => string.Create(CultureInfo.InvariantCulture, $"{1000 * seconds:0.0} ms");

    // Cut, not rounded: only what is whole may read 100 %.
    private static string Share(double share) => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(share * 1000) / 10:0.#} %");
}
