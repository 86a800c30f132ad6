using Granary.Contexts;
using Granary.Errors;

namespace Granary.Client.Contexts;

/// <summary>Reads answer streams to their end.</summary>
public static class AnswerStreams
{
    /// <summary>Asks, and waits for the whole answer.</summary>
    /// <param name="context">The context.</param>
    /// <param name="request">The prompt.</param>
    /// <param name="cancellationToken">Stops decoding at the next step.</param>
    /// <returns>The answer.</returns>
    /// <exception cref="GranaryException">As of <see cref="IGranaryContext.AskAsync"/>; and <see cref="ErrorCodes.Unavailable"/>: the stream ended early; ask again.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static Task<Answer> AskToEndAsync(this IGranaryContext context, AskRequest request, CancellationToken cancellationToken = default) =>
        context.AskAsync(request, cancellationToken).ToAnswerAsync(cancellationToken);

    /// <summary>Reads a stream of tokens up to its answer.</summary>
    /// <param name="parts">The stream.</param>
    /// <param name="cancellationToken">Stops decoding at the next step.</param>
    /// <returns>The answer, which is the last element.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.Unavailable"/>: the stream ended early; ask again. Or what the stream itself throws.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static async Task<Answer> ToAnswerAsync(this IAsyncEnumerable<AnswerPart> parts, CancellationToken cancellationToken = default)
    {
        Answer? answer = null;
        await foreach (var part in parts.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            answer = part.Answer ?? answer;
        }

        return answer ?? throw new GranaryException(ErrorCodes.Unavailable, "The stream of tokens ended without an answer.", "Ask again.");
    }
}
