using System.Runtime.CompilerServices;
using Granary.Contexts;

namespace Granary.Client.Calls;

/// <summary>An answer whose stream goes on at its next token where it broke, wherever its context is by then.</summary>
/// <remarks>DESIGN §5: no token is repeated or skipped. What has arrived is sent along, so it stays what it is even where another silo's numerics would have chosen otherwise.</remarks>
internal static class ResumedAnswer
{
    /// <summary>Draws the seed of a sampled answer, so that what is sent again is the same request.</summary>
    /// <param name="options">As the caller gave them.</param>
    /// <returns>With a seed, where the answer depends on one.</returns>
    public static GenerationOptions WithSeed(GenerationOptions options) =>
        options is { Temperature: > 0, Seed: null } ? options with { Seed = Random.Shared.NextInt64() } : options;

    /// <summary>Reads an answer.</summary>
    /// <param name="calls">Opens streams again.</param>
    /// <param name="open">Opens the answer's stream: from its start, or from where it broke.</param>
    /// <param name="cancellationToken">Stops decoding at the next step.</param>
    /// <returns>Its tokens, and last the answer.</returns>
    public static async IAsyncEnumerable<AnswerPart> ReadAsync(
        GrainCalls calls,
        Func<AnswerResume?, CancellationToken, IAsyncEnumerable<AnswerPart>> open,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var began = calls.Time.GetTimestamp();
        AnswerStart? start = null;
        TimeSpan? firstToken = null;
        var (told, resumed) = (new List<int>(), 0);
        await foreach (var part in calls.ReopenAsync(OpenAsync, NoteStart, cancellationToken).ConfigureAwait(false))
        {
            if (part.Token is { } token)
            {
                firstToken ??= calls.Time.GetElapsedTime(began);
                told.Add(token.Id);
            }

            // Of an answer that went on elsewhere its last silo knows when it decoded again, not when the first token came.
            yield return resumed > 0 && part.Answer is { } answer ? part with { Answer = answer with { FirstTokenSeconds = firstToken!.Value.TotalSeconds } } : part;
        }

        IAsyncEnumerable<AnswerPart> OpenAsync(CancellationToken token)
        {
            resumed = told.Count;
            return open(start is null ? null : new AnswerResume(start, [.. told]), token);
        }

        bool NoteStart(AnswerPart part)
        {
            start ??= part.Start;
            return part.Start is not null;
        }
    }
}
