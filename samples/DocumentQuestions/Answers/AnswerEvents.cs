using System.Net.ServerSentEvents;
using Granary.Errors;
using Microsoft.Extensions.AI;

namespace Granary.DocumentQuestions.Answers;

/// <summary>An answer as server-sent events: <c>text</c> for each piece, then <c>end</c>, or <c>error</c> where it fails on the way, when the status is sent already.</summary>
internal static class AnswerEvents
{
    public static async IAsyncEnumerable<SseItem<object>> OfAsync(IAsyncEnumerable<ChatResponseUpdate> updates)
    {
        await using var elements = updates.GetAsyncEnumerator();
        while (true)
        {
            var (update, error) = await NextAsync(elements);
            if (error is not null)
            {
                yield return new SseItem<object>(new AnswerFailed(error.Code, error.Message, error.Remedy), "error");
            }

            if (update is null)
            {
                yield break;
            }

            if (update.Text.Length > 0)
            {
                yield return new SseItem<object>(new AnswerText(update.Text), "text");
            }

            if (update.FinishReason is { } reason)
            {
                var usage = update.Contents.OfType<UsageContent>().Single().Details;
                yield return new SseItem<object>(new AnswerEnd(reason.Value, usage.InputTokenCount, usage.CachedInputTokenCount, usage.OutputTokenCount), "end");
            }
        }
    }

    private static async Task<(ChatResponseUpdate? Update, GranaryException? Error)> NextAsync(IAsyncEnumerator<ChatResponseUpdate> elements)
    {
        try
        {
            return (await elements.MoveNextAsync() ? elements.Current : null, null);
        }
        catch (GranaryException e)
        {
            return (null, e);
        }
    }
}

/// <summary>A piece of the answer: all pieces, joined, are its text.</summary>
internal sealed record AnswerText(string Text);

/// <summary>The answer's end. Of the input's tokens, the cached ones were not computed again.</summary>
internal sealed record AnswerEnd(string FinishReason, long? InputTokens, long? CachedInputTokens, long? OutputTokens);

/// <summary>What went wrong on the way, and what to do.</summary>
internal sealed record AnswerFailed(string Code, string Message, string Remedy);
