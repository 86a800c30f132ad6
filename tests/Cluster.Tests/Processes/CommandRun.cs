using System.Text.Json;
using Granary.Testing.Processes;

namespace Granary.Cluster.Tests.Processes;

/// <summary>A <c>granary</c> command that ran to its end in a process of its own, with <c>--json</c>.</summary>
internal sealed record CommandRun(string Command, int ExitCode, IReadOnlyList<string> Output, IReadOnlyList<string> Errors)
{
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(50);

    /// <summary>Gets what every process of these tests is started with.</summary>
    /// <remarks>One thread: two processes whose OpenMP threads spin on two cores slow each other twentyfold; no bit depends on it.</remarks>
    public static IReadOnlyDictionary<string, string?> Environment { get; } = new Dictionary<string, string?>
    {
        ["Granary__Engine__Threads"] = "1",
        ["Granary__Silo__WarmUp"] = "false", // but for chaos nobody minds how quick a first call is, and each silo would start seconds later
        ["Granary__Plan__Default"] = "load", // the sample's contexts are computed about as quickly: which way an answer came must not depend on the machine
    };

    /// <summary>Gets the command's result: the last line of standard output.</summary>
    public JsonElement Result => JsonDocument.Parse(Output is [.., var last] ? last : throw new InvalidOperationException($"{this} It wrote no result.")).RootElement;

    /// <summary>Gets the code of the command's error, which is the one JSON line of standard error.</summary>
    public string? ErrorCode => Errors.LastOrDefault(line => line.StartsWith("{\"error\"", StringComparison.Ordinal)) is { } line
        ? JsonDocument.Parse(line).RootElement.GetProperty("error").GetProperty("code").GetString()
        : null;

    /// <summary>Runs the command and expects it to succeed.</summary>
    public static async Task<CommandRun> SucceedAsync(IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        var run = await RunAsync(arguments, cancellationToken);
        Assert.True(run.ExitCode == 0, run.ToString());
        return run;
    }

    /// <summary>Runs the command, with more variables where they are given.</summary>
    public static async Task<CommandRun> RunAsync(IEnumerable<string> arguments, CancellationToken cancellationToken, IReadOnlyDictionary<string, string?>? more = null)
    {
        string[] all = [.. arguments, "--json"];
        await using var process = GranaryProcess.Start(all, new Dictionary<string, string?>(Environment.Concat(more ?? new Dictionary<string, string?>())));
        var exitCode = await process.WaitForExitAsync(MostTime, cancellationToken);
        return new CommandRun(string.Join(' ', all), exitCode, process.Output, process.Errors);
    }

    /// <inheritdoc/>
    public override string ToString() => $"'granary {Command}' ended with {ExitCode}.\n{string.Join('\n', Output.Concat(Errors).TakeLast(20))}";
}
