using System.Globalization;
using System.Text;
using Granary.Inference.Benchmarks;

namespace Granary.Bench.Common;

/// <summary>What a run measured, and on which machine.</summary>
internal abstract record MeasuredReport
{
    /// <summary>Gets when it began.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>Gets the processor's name.</summary>
    public string Cpu { get; } = MachineFacts.Cpu;

    /// <summary>Gets the processors.</summary>
    public int Processors { get; } = Environment.ProcessorCount;

    /// <summary>Gets the machine's load before it.</summary>
    public required string LoadBefore { get; init; }

    /// <summary>Gets the machine's load after it, which is its own for the most part.</summary>
    public required string LoadAfter { get; init; }

    /// <summary>Says where and when it was.</summary>
    /// <param name="rounds">Its rounds, in words.</param>
    protected string Machine(string rounds) => string.Create(CultureInfo.InvariantCulture, $"{Processors} processors ({Cpu}), {rounds}, {Started:yyyy-MM-dd HH:mm} UTC");

    /// <summary>Says how busy the machine was.</summary>
    protected string Load => $"load {LoadBefore} before, {LoadAfter} after";

    /// <summary>Adds a line, without blanks at its end.</summary>
    /// <param name="text">The text so far.</param>
    /// <param name="line">The line.</param>
    protected static void Add(StringBuilder text, FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture).TrimEnd()).Append('\n');
}
