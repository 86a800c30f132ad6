using System.Diagnostics.CodeAnalysis;
using Granary.Errors;
using Granary.Naming;

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
            _ when FindNoWorker(error) is { } noWorker => noWorker,
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
    public static bool IsTransient(Exception error) => (error as GranaryException ?? FindCause(error)) is { } cause
        ? cause.Code == ErrorCodes.Unavailable
        : error is TimeoutException or OrleansException or EnumerationAbortedException or OperationCanceledException;

    /// <summary>Tells whether no silo serves the model, or hosts that kind of grain.</summary>
    /// <param name="error">What was thrown.</param>
    /// <returns>Whether it is that.</returns>
    public static bool SaysNoWorker(Exception error) => FindNoWorker(error) is not null;

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

    // Placement failures arrive as a plain OrleansException or inside a rejection; only their text tells them apart, and says what is served.
    private static GranaryException? FindNoWorker(Exception error)
    {
        if (error is not OrleansException)
        {
            return null;
        }

        const string Code = $"{ErrorCodes.NoWorker}: ";
        if (error.Message.IndexOf(Code, StringComparison.Ordinal) is var start && start >= 0)
        {
            var said = error.Message.AsSpan(start + Code.Length);
            var end = said.IndexOfAny('\r', '\n');
            return new GranaryException(
                ErrorCodes.NoWorker, said[..(end < 0 ? said.Length : end)].ToString(), "Start a silo whose settings name the model (Granary:Models), or wait until it is ready.", error);
        }

        return error.Message.Contains("No active nodes are compatible", StringComparison.Ordinal) ? GrainLookup.NoHostOf(error.Message, error) : null;
    }
}
