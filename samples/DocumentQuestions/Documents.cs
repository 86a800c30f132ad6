using Granary.Client;
using Granary.Client.Chat;
using Granary.Contexts;
using Granary.Errors;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Options;

namespace Granary.DocumentQuestions;

/// <summary>Documents that are read by the model once, and asked many times: each is a context.</summary>
internal sealed class Documents(IGranaryClient granary, IOptions<DocumentOptions> options, TimeProvider time)
{
    /// <summary>How a question is put after a document: the form that the bundled model was trained on, and that base models follow.</summary>
    internal static readonly ChatTemplate Exam = new()
    {
        Render = static messages => $"\nQuestion: {ChatTemplate.TextOf(messages[^1])}\nAnswer:",
        Stop = ["\n"],
    };

    /// <summary>Stores a document. It is durable when the task ends; one that has the same text is found.</summary>
    public async Task<ContextCreated> AddAsync(string name, string text, CancellationToken cancellationToken)
    {
        ContextCreated? created = null;
        await foreach (var progress in ContextOf(name).CreateAsync(new CreateContextRequest { Input = TokenInput.OfText(text) }, cancellationToken))
        {
            created = progress.Result ?? created;
        }

        return created ?? throw new GranaryException(ErrorCodes.Unavailable, $"Storing '{name}' ended without a result.", "Send it again: what is stored already is found.");
    }

    /// <summary>Answers a question about a document.</summary>
    public IAsyncEnumerable<ChatResponseUpdate> AskAsync(string name, string question, CancellationToken cancellationToken)
    {
        if (string.IsNullOrWhiteSpace(question))
        {
            throw new GranaryException(ErrorCodes.EmptyInput, "The question is empty.", "Ask something.");
        }

        var chat = ContextOf(name).AsChatClient(new ContextChatOptions { Template = Exam }, time);
        return chat.GetStreamingResponseAsync(question, new ChatOptions { MaxOutputTokens = options.Value.MaxAnswerTokens }, cancellationToken);
    }

    public Task<ContextDescription> GetAsync(string name, CancellationToken cancellationToken) => ContextOf(name).GetAsync(cancellationToken);

    public IAsyncEnumerable<ContextDescription> ListAsync(CancellationToken cancellationToken) => granary.ListContextsAsync(options.Value.Model, cancellationToken: cancellationToken);

    public Task DeleteAsync(string name, CancellationToken cancellationToken) => ContextOf(name).DeleteAsync(cancellationToken);

    private IGranaryContext ContextOf(string name) => granary.Context(options.Value.Model, name);
}
