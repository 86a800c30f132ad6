using Granary.Testing.Processes;

namespace Granary.Cluster.Tests.Processes;

/// <summary>An explicit test that another test runs in a process of its own, as its client: this very executable, told to run that one.</summary>
internal static class ExplicitTest
{
    /// <summary>Starts it; the caller disposes the process, which kills what still runs.</summary>
    /// <param name="type">The test's class.</param>
    /// <param name="method">The test.</param>
    /// <param name="environment">What it is told.</param>
    public static ChildProcess Start(Type type, string method, IReadOnlyDictionary<string, string?> environment) => ChildProcess.Start(
        Path.Combine(AppContext.BaseDirectory, "Granary.Cluster.Tests"),
        ["-noLogo", "-noColor", "-showLiveOutput", "-explicit", "only", "-method", $"{type.FullName}.{method}"],
        environment);

    /// <summary>Waits until it has ended, and expects that it passed.</summary>
    /// <param name="client">Its process.</param>
    /// <param name="most">The longest wait.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task SucceedAsync(ChildProcess client, TimeSpan most, CancellationToken cancellationToken)
    {
        var exitCode = await client.WaitForExitAsync(most, cancellationToken);
        Assert.True(exitCode == 0, $"A client ended with {exitCode}.{client.Tail()}");
    }

    /// <summary>Reads what it was told.</summary>
    /// <param name="variable">The variable.</param>
    /// <exception cref="InvalidOperationException">Nobody has started it as a client.</exception>
    public static string Told(string variable) =>
        Environment.GetEnvironmentVariable(variable) ?? throw new InvalidOperationException($"'{variable}' is not set: another test starts this one.");
}
