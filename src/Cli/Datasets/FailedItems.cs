using Granary.Cli.Documents;
using Granary.Cli.Errors;
using Granary.Datasets;
using Granary.Errors;

namespace Granary.Cli.Datasets;

/// <summary>Tells of items that failed.</summary>
internal static class FailedItems
{
    /// <summary>Writes the error.</summary>
    /// <param name="invocation">The verb's run.</param>
    /// <param name="what">How many failed.</param>
    /// <param name="failures">The first of them.</param>
    /// <param name="remedy">What to do.</param>
    /// <returns>The exit code.</returns>
    public static int Report(Invocation invocation, string what, IEnumerable<DatasetFailure> failures, string remedy)
    {
        ErrorEdge.Write(new ErrorFields(ErrorCodes.DatasetInvalid, $"{what}: {string.Join(" ", failures.Select(Told))}", remedy), invocation.Terminal, invocation.Json);
        return ErrorCodes.ExitCodeOf(ErrorCodes.DatasetInvalid);
    }

    // A line's failure begins with its place already; a grain's names no item.
    private static string Told(DatasetFailure failure) =>
        failure.Message.Contains(failure.Item, StringComparison.Ordinal) ? failure.Message : $"{failure.Item}: {failure.Message}";
}
