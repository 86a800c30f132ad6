using System.Runtime.CompilerServices;
using Granary.Contexts;

namespace Granary.Client.Calls;

/// <summary>An answer whose stream goes on at its next token where it broke, wherever its context is by then.</summary>
/// <param name="calls">Opens streams again.</param>
/// <param name="open">Opens the answer's stream: from its start, or from where it broke.</param>
/// <remarks>DESIGN §5: no token is repeated or skipped. What has arrived is sent along, so it stays what it is even where another silo's numerics would have chosen otherwise.</remarks>
internal sealed class ResumedAnswer(GrainCalls calls, Func<AnswerResume?, CancellationToken, IAsyncEnumerable<AnswerPart>> open)
{
    private readonly List<int> _told = [];
    private AnswerStart? _start;

    /// <summary>Reads it.</summary>
    /// <param name="cancellationToken">Stops decoding at the next step.</param>
    /// <returns>Its tokens, and last the answer.</returns>
    public async IAsyncEnumerable<AnswerPart> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var part in calls.ReopenAsync(Open, cancellationToken).ConfigureAwait(false))
        {
            if (part.Start is { } start)
            {
                _start ??= start;
                continue;
            }

            if (part.Token is { } token)
            {
                _told.Add(token.Id);
            }

            yield return part;
        }
    }

    private IAsyncEnumerable<AnswerPart> Open(CancellationToken cancellationToken) =>
        open(_start is { } start ? new AnswerResume(start, [.. _told]) : null, cancellationToken);
}
