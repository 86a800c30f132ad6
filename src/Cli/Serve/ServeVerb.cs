using System.CommandLine;
using System.Text.Json.Serialization;

namespace Granary.Cli.Serve;

/// <summary><c>granary serve</c>.</summary>
internal static class ServeVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs) => verbs.Verb(
        "serve",
        "Runs a silo with the settings of appsettings.json and the environment, until it is told to stop.",
        async (invocation, cancellationToken) =>
        {
            try
            {
                await invocation.Sessions.ServeAsync(invocation.Settings, invocation.ConfigureLogging, line => Tell(invocation, line), cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // Being told to stop is how a silo ends: no error.
            }

            return 0;
        });

    private static void Tell(Invocation invocation, string line)
    {
        if (invocation.Json)
        {
            invocation.WriteJson(new ReadyEvent("ready", line));
        }
        else
        {
            invocation.Terminal.Out.WriteLine(line);
        }
    }

    private sealed record ReadyEvent([property: JsonPropertyName("event")] string Event, string Message);
}
