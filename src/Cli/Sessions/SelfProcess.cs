using System.Diagnostics;
using Granary.Errors;

namespace Granary.Cli.Sessions;

/// <summary>Starts this very command once more.</summary>
internal static class SelfProcess
{
    /// <summary>Runs it to its end.</summary>
    /// <param name="arguments">The arguments.</param>
    /// <param name="environment">Variables that it has beside this process's.</param>
    /// <param name="error">Gets the lines of its standard error.</param>
    /// <param name="cancellationToken">Kills it.</param>
    /// <returns>Its exit code.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> environment, Action<string> error, CancellationToken cancellationToken)
    {
        using var process = new Process { StartInfo = Describe(arguments, environment) };
        process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is { } text)
            {
                error(text);
            }
        };
        process.Start();
        process.BeginErrorReadLine();
        process.BeginOutputReadLine(); // read to nowhere: a full pipe would stop it
        try
        {
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode;
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    private static ProcessStartInfo Describe(IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> environment)
    {
        var program = Environment.ProcessPath
            ?? throw new GranaryException(ErrorCodes.Internal, "This process does not know its own path.", "Run granary from its folder.");
        var start = new ProcessStartInfo(program) { RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false };
        if (Path.GetFileNameWithoutExtension(program) == "dotnet")
        {
            start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "granary.dll"));
        }

        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return start;
    }
}
