using Granary.Testing.Processes;

namespace Granary.House.Tests.Publish;

/// <summary>A command that has to end well.</summary>
internal static class Command
{
    /// <summary>Runs a command.</summary>
    /// <returns>The lines of its standard output.</returns>
    internal static async Task<IReadOnlyList<string>> RunAsync(string file, IEnumerable<string> arguments, string folder, CancellationToken cancellationToken)
    {
        // Away from this process's MSBuild settings: they would name the parent's SDK resolver and server.
        var environment = new Dictionary<string, string?> { ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1", ["MSBUILDDISABLENODEREUSE"] = "1" };
        await using var process = ChildProcess.Start(file, arguments, environment, folder);
        var exit = await process.WaitForExitAsync(TimeSpan.FromMinutes(5), cancellationToken);
        Assert.True(exit == 0, $"{file} ended with {exit}.{process.Tail()}");
        return process.Output;
    }
}
