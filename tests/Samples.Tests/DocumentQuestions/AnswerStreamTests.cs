using Granary.Client.Tests.Chat;
using Granary.Errors;

namespace Granary.Samples.Tests.DocumentQuestions;

/// <summary>What happens to an answer on the way, over real connections and a context in memory.</summary>
public sealed class AnswerStreamTests
{
    [Fact]
    public async Task Ask_FirstTokenIsThere_IsSentBeforeTheAnswerEnds()
    {
        var context = new FakeContext { Hangs = true };
        await using var sample = await ServedSample.StartAsync(new FakeClient(context), TestContext.Current.CancellationToken);

        using var response = await sample.Http.AskAsync("village", "Who?", TestContext.Current.CancellationToken);
        var (kind, data) = await response.ReadEventsAsync().FirstAsync(TestContext.Current.CancellationToken);

        Assert.Equal(("text", " Hu"), (kind, data.TextOf("text")));
    }

    [Fact]
    public async Task Ask_ClientLeaves_IsCancelled()
    {
        var context = new FakeContext { Hangs = true };
        await using var sample = await ServedSample.StartAsync(new FakeClient(context), TestContext.Current.CancellationToken);
        var response = await sample.Http.AskAsync("village", "Who?", TestContext.Current.CancellationToken);
        await response.ReadEventsAsync().FirstAsync(TestContext.Current.CancellationToken);
        Assert.False(context.Left.IsCompleted);

        response.Dispose(); // closes the connection: its end was not read

        await context.Left.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Ask_FailsOnTheWay_EndsInAnErrorEvent()
    {
        var context = new FakeContext { Fault = new GranaryException(ErrorCodes.Unavailable, "The silo died.", "Ask again.") };
        await using var sample = await ServedSample.StartAsync(new FakeClient(context), TestContext.Current.CancellationToken);

        using var response = await sample.Http.AskAsync("village", "Who?", TestContext.Current.CancellationToken);
        var events = await response.ReadEventsAsync().ToListAsync(TestContext.Current.CancellationToken);

        Assert.Equal(["text", "error"], events.Select(e => e.Kind));
        Assert.Equal(("Unavailable", "Ask again."), (events[1].Data.TextOf("code"), events[1].Data.TextOf("remedy")));
    }
}
