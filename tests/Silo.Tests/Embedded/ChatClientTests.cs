using Granary.Client.Chat;
using Granary.Client.Contexts;
using Granary.Contexts;
using Granary.Testing;
using Microsoft.Extensions.AI;

namespace Granary.Silo.Tests.Embedded;

/// <summary>A chat client over the bundled model says what the SDK says.</summary>
public sealed class ChatClientTests : IDisposable
{
    private const string Text = "Report of the harvest council, number 25. The drink of Cormere is wine they say. The keeper of Norholt is Hugo by decree.";

    private static readonly ChatTemplate Exam = new()
    {
        Render = messages => string.Concat(messages.Select(message => $"\nQuestion: {ChatTemplate.TextOf(message)}\nAnswer:")),
        Stop = ["."],
    };

    private readonly string _store = Directory.CreateTempSubdirectory("granary-chat-tests-").FullName;

    public void Dispose() => Directory.Delete(_store, recursive: true);

    [Fact]
    public async Task GetStreamingResponseAsync_BundledModel_StreamsTheTextOfAskToEndAsync()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var silo = await EmbeddedGranary.StartAsync(new GranaryOptions { Store = _store }, null, null, cancellationToken);
        await silo.LoadModelAsync("ledger-4m", Path.Combine(Repository.Root, "models", "ledger-4m"), "float32", "none", cancellationToken);
        var context = silo.Client.Context("ledger-4m", "village");
        await foreach (var _ in context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfText(Text) }, cancellationToken))
        {
        }

        var said = await context.AskToEndAsync(
            new AskRequest
            {
                Prompt = TokenInput.OfText("\nQuestion: What is the keeper of Norholt?\nAnswer:"),
                Options = new GenerationOptions { MaxNewTokens = 24, Temperature = 0.8, Seed = 7, Stop = ["."] },
            },
            cancellationToken);

        var chat = context.AsChatClient(new ContextChatOptions { Template = Exam });
        var options = new ChatOptions { MaxOutputTokens = 24, Temperature = 0.8f, Seed = 7 };
        var updates = await chat.GetStreamingResponseAsync("What is the keeper of Norholt?", options, cancellationToken).ToListAsync(cancellationToken);
        var whole = await chat.GetResponseAsync("What is the keeper of Norholt?", options, cancellationToken);

        Assert.True(updates.Count > 2, $"The answer came in {updates.Count} updates.");
        Assert.Equal(said.Text, string.Concat(updates.Select(update => update.Text)));
        Assert.Equal(said.Text, whole.Text);
        Assert.Equal(said.TokenIds, Assert.IsType<Answer>(whole.RawRepresentation).TokenIds);
        Assert.Equal(said.Usage.ContextTokens, whole.Usage?.CachedInputTokenCount);
    }
}
