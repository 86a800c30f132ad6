using Granary.Contexts;

namespace Granary.Client.Calls;

/// <summary>Progress that goes forward only, where a stream is opened again and tells from its start.</summary>
internal static class ForwardProgress
{
    /// <summary>Reads the progress of a creation, a fork or an addition.</summary>
    /// <param name="calls">Opens streams again.</param>
    /// <param name="open">Opens it from its start.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Its elements, each further than the one before; the result in any case.</returns>
    public static async IAsyncEnumerable<ContextProgress> ReadAsync(
        GrainCalls calls,
        Func<CancellationToken, IAsyncEnumerable<ContextProgress>> open,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reached = ((ContextStage)(-1), -1);
        await foreach (var progress in calls.ReopenAsync(open, IsTold, cancellationToken).ConfigureAwait(false))
        {
            reached = (progress.Stage, progress.DoneTokens);
            yield return progress;
        }

        bool IsTold(ContextProgress progress) => progress.Result is null && (progress.Stage, progress.DoneTokens).CompareTo(reached) <= 0;
    }
}
