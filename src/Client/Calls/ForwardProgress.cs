using System.Runtime.CompilerServices;
using Granary.Contexts;

namespace Granary.Client.Calls;

/// <summary>Keeps progress going forward where a stream was opened again and tells from its start.</summary>
internal static class ForwardProgress
{
    /// <summary>Leaves out what has been reached already.</summary>
    /// <param name="stream">The progress of a creation, a fork or an addition.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Its elements, each further than the one before; the result in any case.</returns>
    public static async IAsyncEnumerable<ContextProgress> ForwardAsync(this IAsyncEnumerable<ContextProgress> stream, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reached = ((ContextStage)(-1), -1);
        await foreach (var progress in stream.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            if (progress.Result is not null || (progress.Stage, progress.DoneTokens).CompareTo(reached) > 0)
            {
                reached = (progress.Stage, progress.DoneTokens);
                yield return progress;
            }
        }
    }
}
