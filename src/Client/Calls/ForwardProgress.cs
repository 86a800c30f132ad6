using System.Runtime.CompilerServices;
using Granary.Contexts;

namespace Granary.Client.Calls;

/// <summary>Progress that goes forward only, where a stream is opened again and tells from its start.</summary>
internal static class ForwardProgress
{
    /// <summary>Tells where a creation, a fork or an addition stands.</summary>
    /// <param name="progress">Its progress.</param>
    /// <returns>The place; <see langword="null"/> of the result, which is told in any case.</returns>
    public static (int Stage, int DoneTokens)? PlaceOf(ContextProgress progress) => progress.Result is null ? ((int)progress.Stage, progress.DoneTokens) : null;

    /// <summary>Reads progress.</summary>
    /// <typeparam name="T">One step.</typeparam>
    /// <param name="calls">Opens streams again.</param>
    /// <param name="open">Opens it from its start.</param>
    /// <param name="placeOf">Where a step stands; <see langword="null"/> of one that is told in any case.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Its steps, each further than the one before.</returns>
    public static async IAsyncEnumerable<T> ReadAsync<T>(
        GrainCalls calls,
        Func<CancellationToken, IAsyncEnumerable<T>> open,
        Func<T, (int Stage, int DoneTokens)?> placeOf,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reached = (-1, -1);
        await foreach (var progress in calls.ReopenAsync(open, step => placeOf(step) is { } place && place.CompareTo(reached) <= 0, cancellationToken).ConfigureAwait(false))
        {
            reached = placeOf(progress) ?? reached;
            yield return progress;
        }
    }
}
