using Granary.Client.Chat;
using Granary.Errors;
using Microsoft.Extensions.AI;

namespace Granary.Client.Tests.Chat;

public sealed class ChatTemplateTests
{
    [Fact]
    public void Dialogue_ASecondTurn_RepeatsTheFirstToTheCharacter()
    {
        ChatMessage[] first = [new(ChatRole.System, "Be short."), new(ChatRole.User, "Who?")];
        var turn = ChatTemplate.Dialogue.Render(first);
        var history = ChatTemplate.Dialogue.Render([.. first, new(ChatRole.Assistant, " Hugo"), new(ChatRole.User, "Where?")]);

        Assert.Equal("\n\nSystem: Be short.\n\nUser: Who?\n\nAssistant:", turn);
        Assert.Equal(turn + " Hugo\n\nUser: Where?\n\nAssistant:", history);
    }

    [Fact]
    public void Dialogue_RoleOfATool_IsRefused() =>
        Assert.Equal(ErrorCodes.InvalidArgument, Assert.Throws<GranaryException>(() => ChatTemplate.Dialogue.Render([new(ChatRole.Tool, "42")])).Code);

    [Fact]
    public void TextOf_Image_IsRefusedByItsKind()
    {
        var message = new ChatMessage(ChatRole.User, [new TextContent("see"), new DataContent(new byte[] { 1 }, "image/png")]);
        Assert.Contains(nameof(DataContent), Assert.Throws<GranaryException>(() => ChatTemplate.TextOf(message)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TextOf_AnswerThatWasStreamed_LeavesItsUsageOut() =>
        Assert.Equal(" Hugo", ChatTemplate.TextOf(new ChatMessage(ChatRole.Assistant, [new TextContent(" Hu"), new TextContent("go"), new UsageContent(new UsageDetails())])));

    [Fact]
    public async Task Template_OfTheCaller_TakesTheDefaultsPlace()
    {
        var context = new FakeContext();
        var template = new ChatTemplate { Render = messages => $"Q: {ChatTemplate.TextOf(messages[^1])}\nA:", Stop = ["\n"] };
        await context.AsChatClient(new ContextChatOptions { Template = template }).GetResponseAsync("Who?", cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal(("Q: Who?\nA:", "\n"), (Assert.Single(context.Asked).Prompt.Text, Assert.Single(context.Asked[0].Options.Stop)));
    }
}
