using Granary.Contexts;

namespace Granary.Client.Chat;

/// <summary>How a context answers as a chat client.</summary>
public sealed record ContextChatOptions
{
    /// <summary>Gets how messages become the prompt.</summary>
    /// <value>Default: <see cref="ChatTemplate.Dialogue"/>.</value>
    public ChatTemplate Template { get; init; } = ChatTemplate.Dialogue;

    /// <summary>Gets how answers are decoded where the call's <see cref="Microsoft.Extensions.AI.ChatOptions"/> say nothing; it also holds what these cannot say, such as <see cref="GenerationOptions.RepetitionPenalty"/>.</summary>
    /// <value>Default: greedy, 128 tokens at most.</value>
    public GenerationOptions Generation { get; init; } = new();
}
