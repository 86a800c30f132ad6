using System.Text;
using Granary.Contexts;
using Microsoft.Extensions.AI;

namespace Granary.Client.Chat;

/// <summary>One answer, in the words of Microsoft.Extensions.AI.</summary>
/// <param name="model">The model id.</param>
/// <param name="responseId">Names the response and its one message.</param>
/// <param name="createdAt">When it was asked for.</param>
internal sealed class ChatTurn(string model, string responseId, DateTimeOffset createdAt)
{
    private readonly StringBuilder _streamed = new();

    /// <summary>Gives the whole answer.</summary>
    public ChatResponse Respond(Answer answer) => new(new ChatMessage(ChatRole.Assistant, answer.Text) { MessageId = responseId, CreatedAt = createdAt, RawRepresentation = answer })
    {
        ResponseId = responseId,
        ModelId = model,
        CreatedAt = createdAt,
        FinishReason = ReasonOf(answer),
        Usage = UsageOf(answer.Usage),
        RawRepresentation = answer,
    };

    /// <summary>Gives a token of the stream.</summary>
    public ChatResponseUpdate Update(AnswerToken token)
    {
        _streamed.Append(token.Text);
        return Put(new ChatResponseUpdate(ChatRole.Assistant, token.Text) { RawRepresentation = token });
    }

    /// <summary>Gives the stream's last update.</summary>
    public ChatResponseUpdate End(Answer answer)
    {
        // What no token brought: the joined texts of the updates are the answer's, whatever was held back.
        var rest = answer.Text?.Length > _streamed.Length ? answer.Text[_streamed.Length..] : "";
        List<AIContent> contents = [new UsageContent(UsageOf(answer.Usage)) { RawRepresentation = answer.Usage }];
        if (rest.Length > 0)
        {
            contents.Insert(0, new TextContent(rest));
        }

        return Put(new ChatResponseUpdate(ChatRole.Assistant, contents) { FinishReason = ReasonOf(answer), RawRepresentation = answer });
    }

    private static ChatFinishReason ReasonOf(Answer answer) => answer.FinishReason switch
    {
        "eos" or "stop" => ChatFinishReason.Stop,
        "length" => ChatFinishReason.Length,
        var other => new ChatFinishReason(other),
    };

    private static UsageDetails UsageOf(AnswerUsage usage) => new()
    {
        InputTokenCount = (long)usage.ContextTokens + usage.PromptTokens,
        CachedInputTokenCount = (long)usage.ResidentTokens + usage.RestoredTokens,
        OutputTokenCount = usage.DecodedTokens,
        TotalTokenCount = (long)usage.ContextTokens + usage.PromptTokens + usage.DecodedTokens,
    };

    private ChatResponseUpdate Put(ChatResponseUpdate update)
    {
        (update.ResponseId, update.MessageId, update.ModelId, update.CreatedAt) = (responseId, responseId, model, createdAt);
        return update;
    }
}
