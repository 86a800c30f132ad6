using System.Text;
using Granary.Errors;
using Microsoft.Extensions.AI;

namespace Granary.Client.Chat;

/// <summary>How the messages of a conversation become the prompt that is put after a context, and what ends the answer.</summary>
/// <remarks>
/// Base models such as Pythia know no roles: a template is text that such a model goes on from. The context is not part of it; it stands in front of whatever
/// <see cref="Render"/> gives, tokenized apart.
/// </remarks>
public sealed record ChatTemplate
{
    /// <summary>Gets the template that is used where none is named: a dialogue in plain text.</summary>
    /// <remarks>
    /// Each message is <c>"\n\n" Role ":" text</c>, with the roles <c>System</c>, <c>User</c> and <c>Assistant</c> and one space in front of a text that begins without; the
    /// prompt ends in <c>"\n\nAssistant:"</c>. The answer ends where the model begins the user's next turn, at <c>"\n\nUser:"</c>.
    /// </remarks>
    public static ChatTemplate Dialogue { get; } = new() { Render = RenderDialogue, Stop = ["\n\nUser:"] };

    /// <summary>Gets what renders the messages, oldest first, as the prompt.</summary>
    /// <value>Required. It is called once for each answer, at times concurrently; what it throws reaches the caller.</value>
    public required Func<IReadOnlyList<ChatMessage>, string> Render { get; init; }

    /// <summary>Gets strings that end the answer, beside those of the call; the text stops in front of the first.</summary>
    /// <value>Default: none.</value>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Reads a message's text, for templates.</summary>
    /// <param name="message">The message.</param>
    /// <returns>Its texts, joined; what was counted for an earlier answer is left out.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: it has an image, a tool's result or another content that is no text; take that out.</exception>
    public static string TextOf(ChatMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        var text = new StringBuilder();
        foreach (var content in message.Contents)
        {
            _ = content switch
            {
                TextContent part => text.Append(part.Text),
                UsageContent => text, // of an answer that was streamed and is now history
                _ => throw new GranaryException(
                    ErrorCodes.InvalidArgument,
                    $"A message of the role '{message.Role}' has a {content.GetType().Name}; a context is asked with text only.",
                    "Send messages whose contents are texts."),
            };
        }

        return text.ToString();
    }

    private static string RenderDialogue(IReadOnlyList<ChatMessage> messages)
    {
        var prompt = new StringBuilder();
        foreach (var message in messages)
        {
            var text = TextOf(message);
            prompt.Append("\n\n").Append(NameOf(message.Role)).Append(':');
            // An answer comes with the space that the model put in front: as history it has to be the same text again.
            prompt.Append(text.Length > 0 && !char.IsWhiteSpace(text[0]) ? " " : "").Append(text);
        }

        return prompt.Append("\n\nAssistant:").ToString();
    }

    private static string NameOf(ChatRole role) =>
        role == ChatRole.User ? "User"
        : role == ChatRole.Assistant ? "Assistant"
        : role == ChatRole.System ? "System"
        : throw new GranaryException(
            ErrorCodes.InvalidArgument,
            $"The dialogue template has no place for a message of the role '{role}'.",
            "Send messages of the system, the user and the assistant, or give a template of your own.");
}
