using Granary.Errors;
using Granary.Inference.Errors;
using Granary.Storage.Errors;

namespace Granary.Grains.Errors;

/// <summary>Where errors of the libraries become errors that cross grain calls.</summary>
internal static class ErrorEdge
{
    /// <summary>Translates what a library threw.</summary>
    public static Exception Translate(Exception error) => error switch
    {
        InferenceException e => new GranaryException(e.Code, e.Message, e.Remedy),
        StorageException e => new GranaryException(e.Code, e.Message, e.Remedy),
        ObjectConflictException e => new GranaryException(
            ErrorCodes.ContextConflict, $"'{e.Key}' was changed by somebody else at the same time.", "Ask again: the newer state has been loaded."),
        _ => error,
    };

    /// <summary>Whether <see cref="Translate"/> changes the error.</summary>
    public static bool IsForeign(Exception error) => error is InferenceException or StorageException or ObjectConflictException;

    /// <summary>Passes a stream on, its errors translated.</summary>
    public static IAsyncEnumerable<T> GuardAsync<T>(IAsyncEnumerable<T> stream) => new GuardedStream<T>(stream);

    /// <summary>Awaits a result, its errors translated.</summary>
    public static async Task<T> GuardAsync<T>(Task<T> work)
    {
        try
        {
            return await work;
        }
        catch (Exception e) when (IsForeign(e))
        {
            throw Translate(e);
        }
    }
}
