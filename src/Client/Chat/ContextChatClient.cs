using System.Runtime.CompilerServices;
using Granary.Client.Contexts;
using Granary.Contexts;
using Granary.Errors;
using Microsoft.Extensions.AI;

namespace Granary.Client.Chat;

/// <summary>A context as a chat client: stateless, one ask a call.</summary>
internal sealed class ContextChatClient(IGranaryContext context, ContextChatOptions settings, TimeProvider time) : IChatClient
{
    private readonly ChatClientMetadata _metadata = new("granary", defaultModelId: context.Id.Model);

    /// <inheritdoc/>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var turn = Begin();
        var answer = await context.AskToEndAsync(Render(messages, options), cancellationToken).ConfigureAwait(false);
        return turn.Respond(answer);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return StreamAsync(messages, options, cancellationToken);
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? _metadata
            : serviceType == typeof(IGranaryContext) ? context
            : serviceType.IsInstanceOfType(this) ? this
            : null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // The context is the caller's.
    }

    private async IAsyncEnumerable<ChatResponseUpdate> StreamAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var turn = Begin();
        var ended = false;
        await foreach (var part in context.AskAsync(Render(messages, options), cancellationToken).ConfigureAwait(false))
        {
            if (part.Token is { Text.Length: > 0 } token)
            {
                yield return turn.Update(token);
            }

            if (part.Answer is { } answer)
            {
                ended = true;
                yield return turn.End(answer);
            }
        }

        if (!ended)
        {
            throw new GranaryException(ErrorCodes.Unavailable, "The stream of tokens ended without an answer.", "Ask again.");
        }
    }

    private ChatTurn Begin() => new(context.Id.Model, Guid.NewGuid().ToString("N"), time.GetUtcNow());

    private AskRequest Render(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        var generation = ChatOptionsReader.Read(options, settings, context.Id.Model, this);
        List<ChatMessage> conversation = [.. messages];
        if (conversation.Count == 0)
        {
            throw new GranaryException(ErrorCodes.EmptyInput, "The conversation has no message.", "Send at least one.");
        }

        if (!string.IsNullOrEmpty(options?.Instructions))
        {
            conversation.Insert(0, new ChatMessage(ChatRole.System, options.Instructions));
        }

        return new AskRequest { Prompt = TokenInput.OfText(settings.Template.Render(conversation)), Options = generation };
    }
}
