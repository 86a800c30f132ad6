using System.CommandLine;
using Granary.Cli.Documents;
using Granary.Cli.Errors;
using Granary.Errors;

namespace Granary.Cli.Demo;

/// <summary><c>granary demo</c>.</summary>
internal static class DemoVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <param name="bundleFolder">Where <c>models/ledger-4m</c> and <c>datasets/ledgers.jsonl</c> are.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs, string bundleFolder) => verbs.Verb(
        "demo",
        "Precomputes the bundled data set, asks it without caches, with resident and with restored ones, and proves the answers equal.",
        async (invocation, cancellationToken) =>
        {
            var result = await new DemoRun(invocation, bundleFolder).RunAsync(cancellationToken);
            invocation.WriteResult(result.Document, terminal => DemoTable.Write(terminal, result.Document));
            invocation.NoteUnless(result.Document.Exact);
            if (result.FirstDifference is not { } difference)
            {
                return 0;
            }

            ErrorEdge.Write(
                result.Document.Exact
                    ? new ErrorFields(ErrorCodes.Internal, $"The caches did not keep their promise: {difference}", "Report it with the output of `granary model info`; caches must never change an answer, nor be left unused.")
                    : new ErrorFields(ErrorCodes.Internal, $"Equality could not be proved, nor was it promised, as the numerics are inexact: {difference}", "Report the failed self-test with the output of `granary model info`, or run the demo on another machine."),
                invocation.Terminal,
                invocation.Json);
            return ErrorCodes.ExitCodeOf(ErrorCodes.Internal);
        });
}
