using Granary.Cli.Documents;
using Granary.Cli.Terminals;
using Granary.Errors;
using Granary.Inference.Errors;

namespace Granary.Cli.Errors;

/// <summary>Where errors become messages and exit codes.</summary>
internal static class ErrorEdge
{
    /// <summary>Tells an error.</summary>
    /// <param name="error">What was thrown.</param>
    /// <param name="terminal">Where.</param>
    /// <param name="json">Whether as JSON.</param>
    /// <param name="verbose">Whether with its stack trace.</param>
    /// <returns>The exit code.</returns>
    public static int Report(Exception error, ITerminal terminal, bool json, bool verbose)
    {
        var fields = Describe(error);
        if (verbose)
        {
            terminal.Error.WriteLine(error.ToString());
        }

        Write(fields, terminal, json);
        return ErrorCodes.ExitCodeOf(fields.Code);
    }

    /// <summary>Writes an error to standard error.</summary>
    /// <param name="fields">The error.</param>
    /// <param name="terminal">Where.</param>
    /// <param name="json">Whether as JSON.</param>
    public static void Write(ErrorFields fields, ITerminal terminal, bool json)
    {
        if (json)
        {
            terminal.Error.WriteLine(JsonDocuments.Write(new ErrorDocument(fields)));
        }
        else
        {
            terminal.Error.WriteLine($"granary: {fields.Message}");
            terminal.Error.WriteLine($"         {fields.Remedy} ({fields.Code})");
        }
    }

    private static ErrorFields Describe(Exception error) => error switch
    {
        GranaryException e => new ErrorFields(e.Code, e.Message, e.Remedy),
        InferenceException e => new ErrorFields(e.Code, e.Message, e.Remedy),
        OperationCanceledException => new ErrorFields(ErrorCodes.Cancelled, "Cancelled.", "Run it again; what was acknowledged is kept."),
        AggregateException { InnerExceptions: [var only] } => Describe(only),
        _ => new ErrorFields(ErrorCodes.Internal, $"{error.GetType().Name}: {error.Message}", "Run again with -v for the stack trace, and report it."),
    };
}
