using System.Text.Json;
using System.Text.Json.Nodes;
using Granary.Cli.Sessions;
using Granary.Cli.Tests.Fakes;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary>What one run of the real command left behind.</summary>
internal sealed record CommandRun(int ExitCode, string Output, string Errors)
{
    /// <summary>Gets the last line of standard output, the result.</summary>
    public JsonNode Result => JsonNode.Parse(Output.TrimEnd('\n').Split('\n')[^1]) ?? throw new InvalidOperationException($"No result. Errors: {Errors}");

    /// <summary>Gets the error's fields, from the last line of standard error.</summary>
    public (string Code, string Message, string Remedy) Error
    {
        get
        {
            var error = JsonNode.Parse(Errors.TrimEnd('\n').Split('\n')[^1])?["error"] ?? throw new InvalidOperationException($"No error: {Errors}");
            return ((string?)error["code"] ?? "", (string?)error["message"] ?? "", (string?)error["remedy"] ?? "");
        }
    }

    /// <summary>Runs the command in this process, over a real silo of its own.</summary>
    /// <param name="folder">The working folder, where <c>appsettings.json</c> is looked for.</param>
    /// <param name="sessions">What opens sessions; null for those of a real process.</param>
    /// <param name="arguments">The command line.</param>
    public static async Task<CommandRun> RunAsync(string folder, IGranarySessions? sessions, params string[] arguments)
    {
        var terminal = new TestTerminal();
        var command = new GranaryCommand(new CommandSurroundings(terminal, sessions ?? new GranarySessions(), folder, AppContext.BaseDirectory));
        var exitCode = await command.RunAsync(arguments, TestContext.Current.CancellationToken);
        return new CommandRun(exitCode, terminal.Output.ToString(), terminal.Errors.ToString());
    }

    /// <summary>Asserts success, and that standard output is JSON only.</summary>
    public CommandRun Succeeded()
    {
        Assert.True(ExitCode == 0, $"Exit code {ExitCode}: {Errors}");
        Assert.EndsWith("\n", Output, StringComparison.Ordinal);
        Assert.All(Output.TrimEnd('\n').Split('\n'), line => JsonDocument.Parse(line).Dispose());
        return this;
    }

    /// <summary>Asserts a refusal: its exit code, one JSON error with a message that names values, a remedy, no stack trace, nothing on standard output.</summary>
    public CommandRun Refused(int exitCode, string code, params string[] named)
    {
        Assert.True(exitCode == ExitCode && code == Error.Code, $"Exit code {ExitCode}: {Output}{Errors}");
        Assert.Empty(Output);
        Assert.All(named, text => Assert.Contains(text, Error.Message, StringComparison.Ordinal));
        Assert.NotEmpty(Error.Remedy);
        Assert.DoesNotContain("   at ", Errors, StringComparison.Ordinal);
        return this;
    }
}
