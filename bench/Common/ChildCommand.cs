using System.Diagnostics;

namespace Granary.Bench.Common;

/// <summary>A process that does one thing and ends.</summary>
internal static class ChildCommand
{
    private const int LinesTold = 12;
    private const int Interrupted = 130;

    /// <summary>Runs it to its end.</summary>
    /// <param name="file">The program: a path, or a name on PATH.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="cancellationToken">Kills it, and what it started.</param>
    /// <returns>Its standard output.</returns>
    /// <exception cref="OperationCanceledException">It was killed, or interrupted.</exception>
    /// <exception cref="BenchException">It is not there, or it failed; the message has the end of what it said.</exception>
    public static async Task<string> RunAsync(string file, IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        using var process = ChildProcesses.Start(start);
        try
        {
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            await Task.WhenAll(output, errors, process.WaitForExitAsync(cancellationToken));
            if (process.ExitCode == Interrupted)
            {
                throw new OperationCanceledException(cancellationToken); // a terminal interrupts the child too, and it may be the first to end
            }

            return process.ExitCode == 0
                ? await output
                : throw new BenchException($"'{file} {string.Join(' ', start.ArgumentList)}' ended with {process.ExitCode}. {Tail(await errors + await output)}");
        }
        finally
        {
            await ChildProcesses.EndAsync(process);
        }
    }

    private static string Tail(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries) is { Length: > 0 } lines
        ? $"It said:\n  {string.Join("\n  ", lines.TakeLast(LinesTold))}"
        : "It said nothing.";
}
