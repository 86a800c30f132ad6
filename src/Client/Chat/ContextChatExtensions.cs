using Granary.Contexts;
using Granary.Errors;
using Microsoft.Extensions.AI;

namespace Granary.Client.Chat;

/// <summary>Makes contexts chat clients.</summary>
public static class ContextChatExtensions
{
    /// <summary>Gives an <see cref="IChatClient"/> whose answers are the context's: each call's messages, rendered by the template, are the prompt that is put after it.</summary>
    /// <param name="context">The context; it stays the caller's, and each call asks its newest version.</param>
    /// <param name="options">The template and the decoding; <see langword="null"/> for their defaults.</param>
    /// <param name="time">Gives answers their <c>CreatedAt</c>; <see langword="null"/> for the system's clock.</param>
    /// <returns>The client. It keeps nothing between calls, is safe for concurrent use, and needs no disposal.</returns>
    /// <remarks>
    /// <para>Each call carries the whole conversation, as chat clients without a memory of their own have it. The context itself never grows by it; to keep a turn, ask the context with
    /// <see cref="AskRequest.Keep"/>.</para>
    /// <para>Of <see cref="ChatOptions"/>, <c>MaxOutputTokens</c>, <c>Temperature</c>, <c>TopK</c>, <c>TopP</c>, <c>Seed</c>, <c>StopSequences</c> and <c>Instructions</c> (a system message in
    /// front) are heard; without a temperature answers are greedy. A <c>RawRepresentationFactory</c> may give <see cref="GenerationOptions"/> to begin with. What cannot be done (tools, JSON,
    /// frequency and presence penalties, reasoning, conversations that the server keeps, background responses, another model) is refused with <see cref="ErrorCodes.InvalidArgument"/> and the names of all such options.
    /// <c>AdditionalProperties</c> are not read: they belong to whoever wraps this client.</para>
    /// <para>An answer has <see cref="Answer"/> as its <c>RawRepresentation</c>; when it is streamed, its last update has it, with the finish reason and the usage. <c>CachedInputTokenCount</c> are the context's
    /// tokens that were resident or restored. Text is the model's own, to the bit: no space is taken off. Calls throw <see cref="GranaryException"/>, or, where their token was cancelled,
    /// <see cref="OperationCanceledException"/>; leaving a stream stops decoding at the next step.</para>
    /// <para><c>GetService</c> knows <see cref="ChatClientMetadata"/>, <see cref="IGranaryContext"/> and <see cref="IChatClient"/>.</para>
    /// </remarks>
    public static IChatClient AsChatClient(this IGranaryContext context, ContextChatOptions? options = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(context);
        return new ContextChatClient(context, options ?? new ContextChatOptions(), time ?? TimeProvider.System);
    }
}
