using Granary.Client.Chat;
using Granary.Contexts;
using Granary.Errors;
using Microsoft.Extensions.AI;

namespace Granary.Client.Tests.Chat;

/// <summary>Every option of a call is heard, is without effect, or is refused by its name.</summary>
public sealed class ChatOptionsTests
{
    // Options that have no effect here by their nature; all others are in one of the tests below.
    private static readonly string[] WithoutEffect = [nameof(ChatOptions.AdditionalProperties), nameof(ChatOptions.AllowMultipleToolCalls)];

    private static ChatOptions Doable => new()
    {
        Instructions = "Be short.",
        MaxOutputTokens = 7,
        ModelId = "ledger-4m",
        RawRepresentationFactory = _ => new GenerationOptions { RepetitionPenalty = 1.5, MaxNewTokens = 99, Stop = [";"] },
        Seed = 3,
        StopSequences = ["."],
        Temperature = 0.8f,
        TopK = 5,
        TopP = 0.9f,
    };

    private static ChatOptions Refused => new()
    {
        AllowBackgroundResponses = true,
        ContinuationToken = ResponseContinuationToken.FromBytes(new byte[] { 1 }),
        ConversationId = "c",
        FrequencyPenalty = 0.1f,
        ModelId = "pythia-70m",
        PresencePenalty = 0.1f,
        RawRepresentationFactory = _ => "what is this",
        Reasoning = new ReasoningOptions(),
        ResponseFormat = ChatResponseFormat.Json,
        ToolMode = ChatToolMode.RequireAny,
        Tools = [AIFunctionFactory.Create(() => 1, "one")],
    };

    [Fact]
    public async Task Options_Doable_ReachTheAsk()
    {
        var asked = await AskAsync(Doable);
        var options = asked.Options;
        Assert.Equal((7, 0.8, 5, 0.9, 3L, 1.5), (options.MaxNewTokens, options.Temperature, options.TopK, options.TopP, options.Seed, options.RepetitionPenalty));
        Assert.Equal([";", "\n\nUser:", "."], options.Stop);
        Assert.Equal("\n\nSystem: Be short.\n\nUser: Hello\n\nAssistant:", asked.Prompt.Text);
    }

    [Fact]
    public async Task Options_Absent_LeaveTheClientsOwn()
    {
        var own = new GenerationOptions { MaxNewTokens = 9, Temperature = 0.5, IgnoreEos = true };
        foreach (var options in new[] { null, new ChatOptions() })
        {
            var asked = await AskAsync(options, new ContextChatOptions { Generation = own });
            Assert.Equal(own with { Stop = asked.Options.Stop, StopIds = asked.Options.StopIds }, asked.Options);
        }
    }

    [Fact]
    public async Task Options_ThatAContextCannotDo_AreAllRefusedByName()
    {
        var error = await Assert.ThrowsAsync<GranaryException>(() => AskAsync(Refused));
        Assert.Equal(ErrorCodes.InvalidArgument, error.Code);
        Assert.All(SetIn(Refused), name => Assert.Contains(name, error.Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Options_ThatSayWhatIsSoAnyway_AreTaken() => await AskAsync(new ChatOptions
    {
        FrequencyPenalty = 0,
        PresencePenalty = 0,
        ResponseFormat = ChatResponseFormat.Text,
        ToolMode = ChatToolMode.Auto,
        Tools = [],
        AllowBackgroundResponses = false,
    });

    [Fact]
    public void Options_OfThePackage_AreAllDecided() =>
        Assert.Equal(
            typeof(ChatOptions).GetProperties().Select(property => property.Name).Order(StringComparer.Ordinal),
            SetIn(Doable).Concat(SetIn(Refused)).Concat(WithoutEffect).Distinct().Order(StringComparer.Ordinal));

    private static IEnumerable<string> SetIn(ChatOptions options) => typeof(ChatOptions).GetProperties().Where(property => property.GetValue(options) is not null).Select(property => property.Name);

    private static async Task<AskRequest> AskAsync(ChatOptions? options, ContextChatOptions? settings = null)
    {
        var context = new FakeContext();
        await context.AsChatClient(settings).GetResponseAsync([new ChatMessage(ChatRole.User, "Hello")], options);
        return Assert.Single(context.Asked);
    }
}
