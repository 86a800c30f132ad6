using Granary.Cli.Documents;
using Granary.Cli.Terminals;
using Granary.Contexts;
using Granary.Errors;

namespace Granary.Cli.Contexts;

/// <summary>Shows how far a context's creation or growth is.</summary>
internal static class StoringProgress
{
    /// <summary>Follows the stream to its result.</summary>
    /// <param name="invocation">The verb's run.</param>
    /// <param name="context">The context.</param>
    /// <param name="stream">Its progress.</param>
    /// <param name="withEvents">Whether progress events are printed, with <c>--json</c>.</param>
    /// <returns>The result.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.Unavailable"/>: the stream ended early.</exception>
    public static Task<ContextCreated> RunAsync(Invocation invocation, ContextId context, IAsyncEnumerable<ContextProgress> stream, bool withEvents) =>
        ProgressReport.FollowAsync(
            invocation.Terminal,
            $"context {context.Name}",
            stream,
            progress =>
            {
                if (invocation.Json && withEvents)
                {
                    invocation.WriteJson(ContextProgressEvent.Of(progress));
                }

                return (progress.DoneTokens, progress.TotalTokens, progress.Result);
            },
            () => new GranaryException(
                ErrorCodes.Unavailable, $"The progress of '{context}' ended without a result.", "granary context show says what is stored; run it again if need be."));
}
