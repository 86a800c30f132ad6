using System.CommandLine;
using Granary.Cli.Documents;
using Granary.Client.Silos;
using Granary.Errors;
using Granary.Silos;

namespace Granary.Cli.Silos;

/// <summary><c>granary silo drain</c>.</summary>
internal static class DrainVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = new Argument<string>("NAME") { Description = "The silo's name, or its address (granary cluster status)." };
        return verbs.Verb("drain", "Has a silo stop: nothing new is placed there, and what runs goes on for up to its DrainTimeout. Ends when it has left.", RunAsync, name);

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            NamedCluster.Require(invocation);
            await using var session = await invocation.OpenAsync(null, cancellationToken);
            DrainProgress? first = null, last = null;
            await foreach (var progress in session.Client.Cluster.DrainAsync(invocation.Arguments.GetRequiredValue(name), cancellationToken))
            {
                if (!invocation.Json && (last is null || (last.State, last.Streams) != (progress.State, progress.Streams)) && progress.State != SiloStates.Stopped)
                {
                    invocation.Terminal.Error.WriteLine($"{progress.Silo} {progress.State}: {progress.Streams} streams, {progress.Contexts} contexts");
                }

                first ??= progress;
                last = progress;
            }

            if (first is null || last is not { State: SiloStates.Stopped })
            {
                throw new GranaryException(ErrorCodes.Unavailable, "The drain ended without a result.", "Run it again: it goes on by itself.");
            }

            var document = new DrainDocument(last.Silo, last.State, first.Streams, first.Contexts, last.Elapsed.TotalSeconds);
            invocation.WriteResult(document, terminal => terminal.Out.WriteLine(FormattableString.Invariant($"{document.Silo} stopped after {document.Seconds:F1} s")));
            return 0;
        }
    }
}
