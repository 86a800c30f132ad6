namespace Granary.Testing.Processes;

/// <summary>The <c>granary</c> command in a process of its own: as built, or as the variable <c>GRANARY_COMMAND</c> names it.</summary>
public static class GranaryProcess
{
    // Test outputs lie in bin/<configuration>/net10.0/linux-x64: the command is taken from the same configuration.
    private static readonly string BuildFolder = Path.Combine([.. Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory).Split('/')[^3..]]);

    /// <summary>Gets the path of the executable.</summary>
    public static string ExecutablePath { get; } = Environment.GetEnvironmentVariable("GRANARY_COMMAND") ?? Repository.GetPath($"src/Cli/bin/{BuildFolder}/granary");

    /// <summary>Starts the command; the caller disposes the process, which kills what still runs.</summary>
    /// <param name="arguments">Arguments, unquoted.</param>
    /// <param name="environment">Variables to add, such as <c>Granary__Store</c>.</param>
    /// <exception cref="FileNotFoundException">The command was not built.</exception>
    public static ChildProcess Start(IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null) =>
        File.Exists(ExecutablePath)
            ? ChildProcess.Start(ExecutablePath, arguments, environment)
            : throw new FileNotFoundException($"'{ExecutablePath}' is not built. Run dotnet build src/Cli, with this test's configuration.");
}
