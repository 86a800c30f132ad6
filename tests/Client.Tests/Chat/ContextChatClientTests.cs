using Granary.Client.Chat;
using Granary.Contexts;
using Granary.Errors;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Client.Tests.Chat;

public sealed class ContextChatClientTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 29, 12, 0, 0, TimeSpan.Zero);
    private static readonly ChatMessage Question = new(ChatRole.User, "Who keeps Norholt?");

    [Fact]
    public async Task GetResponseAsync_OneQuestion_IsTheAnswerInTheWordsOfChat()
    {
        var context = new FakeContext();
        var response = await ClientOf(context).GetResponseAsync([Question]);

        Assert.Equal("\n\nUser: Who keeps Norholt?\n\nAssistant:", Assert.Single(context.Asked).Prompt.Text);
        Assert.Equal((" Hugo", ChatRole.Assistant), (response.Text, Assert.Single(response.Messages).Role));
        Assert.Equal((ChatFinishReason.Stop, "ledger-4m", Noon), (response.FinishReason, response.ModelId, response.CreatedAt));
        Assert.NotEmpty(response.ResponseId ?? "");
        Assert.Equal("mixed", Assert.IsType<Answer>(response.RawRepresentation).Plan.Decision);
        AssertUsage(response.Usage);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_OneQuestion_StreamsTextThenUsageUnderOneId()
    {
        var updates = await ClientOf(new FakeContext()).GetStreamingResponseAsync([Question]).ToListAsync(TestContext.Current.CancellationToken);

        Assert.Equal([" Hu", "go", ""], updates.Select(update => update.Text));
        Assert.Single(updates.Select(update => (update.ResponseId, update.MessageId, update.ModelId, update.CreatedAt, update.Role)).Distinct());
        Assert.All(updates.SkipLast(1), update => Assert.Null(update.FinishReason));
        Assert.Equal(ChatFinishReason.Stop, updates[^1].FinishReason);
        Assert.IsType<AnswerToken>(updates[0].RawRepresentation);
        Assert.IsType<Answer>(updates[^1].RawRepresentation);
        var response = updates.ToChatResponse();
        Assert.Equal(" Hugo", response.Text);
        AssertUsage(response.Usage);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_TextThatNoTokenBrought_ComesWithTheLastUpdate()
    {
        var context = new FakeContext { Text = " Hugo\uFFFD" };
        Assert.Equal(" Hugo\uFFFD", string.Concat(await ClientOf(context).GetStreamingResponseAsync([Question]).Select(update => update.Text).ToListAsync(TestContext.Current.CancellationToken)));
    }

    [Theory]
    [InlineData("eos", "stop")]
    [InlineData("stop", "stop")]
    [InlineData("length", "length")]
    public async Task GetResponseAsync_FinishReason_IsMapped(string ours, string theirs) =>
        Assert.Equal(theirs, (await ClientOf(new FakeContext { FinishReason = ours }).GetResponseAsync([Question])).FinishReason?.Value);

    [Fact]
    public async Task GetStreamingResponseAsync_StreamBreaksOff_IsUnavailable()
    {
        var stream = ClientOf(new FakeContext { BreaksOff = true }).GetStreamingResponseAsync([Question]);
        Assert.Equal(ErrorCodes.Unavailable, (await Assert.ThrowsAsync<GranaryException>(async () => await stream.ToListAsync(TestContext.Current.CancellationToken))).Code);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_AskFails_ThrowsItsErrorAsItIs()
    {
        var fault = new GranaryException(ErrorCodes.ContextNotFound, "no", "create it");
        var stream = ClientOf(new FakeContext { Fault = fault }).GetStreamingResponseAsync([Question]);
        Assert.Same(fault, await Assert.ThrowsAsync<GranaryException>(async () => await stream.ToListAsync(TestContext.Current.CancellationToken)));
    }

    [Fact]
    public async Task GetStreamingResponseAsync_CancelledInTheMiddle_EndsTheAsk()
    {
        using var caller = new CancellationTokenSource();
        var context = new FakeContext { Hangs = true };
        await using var updates = ClientOf(context).GetStreamingResponseAsync([Question], cancellationToken: caller.Token).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await updates.MoveNextAsync());
        var next = updates.MoveNextAsync();
        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await next);
        Assert.True(context.Left.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task GetResponseAsync_NoMessage_IsEmpty() =>
        Assert.Equal(ErrorCodes.EmptyInput, (await Assert.ThrowsAsync<GranaryException>(() => ClientOf(new FakeContext()).GetResponseAsync([]))).Code);

    [Fact]
    public void GetService_WhatItIsMadeOf_IsFound()
    {
        var context = new FakeContext();
        var client = ClientOf(context);
        Assert.Equal(("granary", "ledger-4m"), (client.GetService<ChatClientMetadata>()?.ProviderName, client.GetService<ChatClientMetadata>()?.DefaultModelId));
        Assert.Same(context, client.GetService<IGranaryContext>());
        Assert.Same(client, client.GetService<IChatClient>());
        Assert.Null(client.GetService<IChatClient>("key"));
        Assert.Null(client.GetService<TimeProvider>());
    }

    private static IChatClient ClientOf(FakeContext context) => context.AsChatClient(time: new FakeTimeProvider(Noon));

    private static void AssertUsage(UsageDetails? usage) => Assert.Equal((80, 55, 3, 83), (usage?.InputTokenCount, usage?.CachedInputTokenCount, usage?.OutputTokenCount, usage?.TotalTokenCount));
}
