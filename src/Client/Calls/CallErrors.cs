using System.Diagnostics.CodeAnalysis;
using Granary.Errors;

namespace Granary.Client.Calls;

/// <summary>What Orleans throws, in Granary's words.</summary>
internal static class CallErrors
{
    /// <summary>Translates an error of a grain call.</summary>
    /// <param name="error">What was thrown.</param>
    /// <param name="translated">What the caller gets.</param>
    /// <param name="cancellationToken">The call's token.</param>
    /// <returns>Whether it has another name here; otherwise it is thrown as it is.</returns>
    public static bool TryTranslate(Exception error, [NotNullWhen(true)] out Exception? translated, CancellationToken cancellationToken)
    {
        translated = error switch
        {
            GranaryException => null,
            OperationCanceledException when cancellationToken.IsCancellationRequested => null,
            _ when cancellationToken.IsCancellationRequested => new OperationCanceledException("The call was cancelled.", error, cancellationToken),
            _ when FindCause(error) is { } cause => cause,
            _ when SaysNoWorker(error) => new GranaryException(
                ErrorCodes.NoWorker,
                "No active silo serves this model.",
                "Start a silo whose settings name the model (Granary:Models), or wait until it is ready.",
                error),
            _ when IsTransient(error) => new GranaryException(
                ErrorCodes.Unavailable,
                $"The cluster did not answer, or a silo died during the call ({error.GetType().Name}).",
                "Check that a silo runs and that its clustering address is right, then try again. The call may have had its effect.",
                error),
            _ => null,
        };
        return translated is not null;
    }

    /// <summary>Tells whether a call may succeed when it is tried again.</summary>
    /// <param name="error">What was thrown.</param>
    /// <returns>Whether the cluster, not the request, is the cause.</returns>
    public static bool IsTransient(Exception error) =>
        error is TimeoutException or OrleansException or EnumerationAbortedException or OperationCanceledException or GranaryException { Code: ErrorCodes.Unavailable };

    /// <summary>Tells whether no silo serves the model. Placement failures arrive as a plain OrleansException or inside a rejection; only their text tells them apart.</summary>
    /// <param name="error">What was thrown.</param>
    /// <returns>Whether it is that.</returns>
    public static bool SaysNoWorker(Exception error) =>
        error is OrleansException
        && (error.Message.Contains("No active nodes are compatible", StringComparison.Ordinal)
            || error.Message.Contains(ErrorCodes.NoWorker, StringComparison.Ordinal));

    // A grain that cannot load its state is refused with Orleans' error; inside it is why.
    private static GranaryException? FindCause(Exception error)
    {
        for (var inner = error.InnerException; inner is not null; inner = inner.InnerException)
        {
            if (inner is GranaryException cause)
            {
                return cause;
            }
        }

        return null;
    }
}
