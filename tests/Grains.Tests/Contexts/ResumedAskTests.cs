using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Tests.Hosting;

namespace Granary.Grains.Tests.Contexts;

/// <summary>A stream that broke goes on at its next token, on another silo and with the same bits.</summary>
[Collection("Engine")]
public sealed class ResumedAskTests(OneSilo silo) : IClassFixture<OneSilo>
{
    private const int Tokens = 24;

    [Theory, Trait("Invariant", "4")]
    [InlineData(0, 0)]
    [InlineData(1, 0)]
    [InlineData(17, 0.9)]
    [InlineData(24, 0.9)]
    public async Task AskAsync_ResumedElsewhere_IsTheAnswerThatWouldHaveBeen(int told, double temperature)
    {
        var context = silo.Context($"resumed-{told}");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(290, told)));
        var request = Request(temperature);
        var parts = await context.AskAsync(request).ToListAsync(TestContext.Current.CancellationToken);
        var (start, whole) = (parts[0].Start!, parts[^1].Answer!);
        await using var other = new SecondSilo(silo.Store);
        await other.InitializeAsync();

        var rest = await other.Context($"resumed-{told}").AskAsync(request with { Resume = new AnswerResume(start, whole.TokenIds[..told]) }).ToListAsync(TestContext.Current.CancellationToken);

        Assert.Equal(start, rest[0].Start);
        Assert.Equal(Enumerable.Range(told, Tokens - told), rest.Where(static part => part.Token is not null).Select(static part => part.Token!.Index));
        Assert.Equal(parts.Where(part => part.Token?.Index >= told).Select(static part => part.Token), rest.Where(static part => part.Token is not null).Select(static part => part.Token));
        AssertSame(whole, rest[^1].Answer!);
    }

    [Fact]
    public async Task AskAsync_ResumedAfterTheContextHasGrown_StaysOnItsVersion()
    {
        var context = silo.Context("resumed-old");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(300, 9)));
        var request = Request(0.7);
        var parts = await context.AskAsync(request).ToListAsync(TestContext.Current.CancellationToken);
        await context.AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(OneSilo.Ids(300, 10)) }).LastAsync(TestContext.Current.CancellationToken);

        var rest = await OneSilo.EndAsync(context.AskAsync(request with { Resume = new AnswerResume(parts[0].Start!, parts[^1].Answer!.TokenIds[..5]) }));

        Assert.Equal((1L, 300), (rest.Version!.Value, rest.Usage.ContextTokens));
        AssertSame(parts[^1].Answer!, rest);
    }

    [Fact]
    public async Task AskAsync_ResumedAfterTheContextWasMadeAnew_IsAConflict()
    {
        var context = silo.Context("resumed-anew");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(1, 2, 3));
        var parts = await context.AskAsync(Request(0)).ToListAsync(TestContext.Current.CancellationToken);
        await context.DeleteAsync();
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(1, 2, 3, 4));

        var error = await Assert.ThrowsAsync<GranaryException>(() => OneSilo.EndAsync(context.AskAsync(Request(0) with { Resume = new AnswerResume(parts[0].Start!, [1]) })));
        Assert.Equal(ErrorCodes.ContextConflict, error.Code);
    }

    [Fact]
    public async Task GenerateAsync_ResumedElsewhere_IsTheAnswerThatWouldHaveBeen()
    {
        var request = new GenerateRequest { Context = TokenInput.OfTokens(OneSilo.Ids(40, 1)), Prompt = TokenInput.OfTokens(5, 6), Options = Request(1).Options };
        var parts = await silo.Nameless().GenerateAsync(request).ToListAsync(TestContext.Current.CancellationToken);

        var rest = await OneSilo.EndAsync(silo.Nameless().GenerateAsync(request with { Resume = new AnswerResume(parts[0].Start!, parts[^1].Answer!.TokenIds[..9]) }));

        AssertSame(parts[^1].Answer!, rest);
    }

    [Fact]
    public async Task AskAsync_ResumedWithTokensThatCannotBe_IsRefused()
    {
        var context = silo.Context("resumed-badly");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(1, 2, 3));
        var start = (await context.AskAsync(Request(0)).FirstAsync(TestContext.Current.CancellationToken)).Start!;
        foreach (var (resume, code) in new (AnswerResume, string)[]
        {
            (new(start, OneSilo.Ids(Tokens + 1, 1)), ErrorCodes.InvalidArgument),
            (new(start, [1 << 20]), ErrorCodes.TokenOutOfVocabulary),
            (new(start, [-1]), ErrorCodes.TokenOutOfVocabulary),
            (new(start with { ContextTokens = 4 }, [1]), ErrorCodes.ContextConflict),
            (new(start with { ContextTokens = -1 }, [1]), ErrorCodes.ContextConflict),
            (new(start with { Version = 2 }, [1]), ErrorCodes.ContextConflict),
        })
        {
            Assert.Equal(code, (await Assert.ThrowsAsync<GranaryException>(() => OneSilo.EndAsync(context.AskAsync(Request(0) with { Resume = resume })))).Code);
        }
    }

    private static AskRequest Request(double temperature) => new()
    {
        Prompt = TokenInput.OfTokens(5, 6, 7, 8, 9),
        Options = new GenerationOptions { MaxNewTokens = Tokens, IgnoreEos = true, Temperature = temperature, LogProbabilities = true, RepetitionPenalty = 1.1, Stop = ["\0never"] },
    };

    private static void AssertSame(Answer expected, Answer actual)
    {
        Assert.Equal(expected.TokenIds, actual.TokenIds);
        Assert.Equal((expected.Text, expected.FinishReason, expected.Seed), (actual.Text, actual.FinishReason, actual.Seed));
        Assert.Equal(expected.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits), actual.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits));
    }
}
