using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Tests.Hosting;

namespace Granary.Grains.Tests.Contexts;

[Collection("Engine")] // the counters of DESIGN §9 belong to the process
public sealed class ContextGrainTests(OneSilo silo) : IClassFixture<OneSilo>
{
    private static readonly GenerationOptions Greedy = new() { MaxNewTokens = 12, IgnoreEos = true, LogProbabilities = true };
    private static readonly TokenInput Prompt = TokenInput.OfTokens(5, 6, 7, 8, 9);

    [Fact, Trait("Invariant", "2")]
    public async Task CreateAsync_NewContext_ReportsEveryStageInOrderAndIsStored()
    {
        var stages = new List<ContextStage>();
        var context = silo.Context("stages");
        ContextCreated? created = null;
        await foreach (var progress in context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(OneSilo.Ids(600, 1)) }, TestContext.Current.CancellationToken))
        {
            stages.Add(progress.Stage);
            created = progress.Result;
        }

        Assert.Equal([ContextStage.Accepted, ContextStage.Prefilling, ContextStage.Prefilling, ContextStage.Prefilling, ContextStage.Resident, ContextStage.Stored], stages);
        Assert.Equal((600, 3, "stored", true), (created!.Context.Tokens, created.Context.Pages, created.Context.State, created.Context.Resident));
        Assert.Equal(600, created.PrefilledTokens);
        Assert.True(created.WrittenBytes > 600 * 8192, "a token of the sample model has 8 KiB of KV");
    }

    [Fact]
    public async Task CreateAsync_SameIdsAgain_FindsTheContextAndComputesNothing()
    {
        var ids = TokenInput.OfTokens(OneSilo.Ids(300, 2));
        await OneSilo.CreateAsync(silo.Context("twice"), ids);
        var again = await OneSilo.CreateAsync(silo.Context("twice"), ids);
        Assert.True(again.Existed);
        Assert.Equal(0, again.PrefilledTokens);
    }

    [Fact]
    public async Task CreateAsync_OtherIds_IsAConflictAndKeepsTheContext()
    {
        await OneSilo.CreateAsync(silo.Context("taken"), TokenInput.OfTokens(1, 2, 3));
        var error = await Assert.ThrowsAsync<GranaryException>(() => OneSilo.CreateAsync(silo.Context("taken"), TokenInput.OfTokens(1, 2, 4)));
        Assert.Equal(ErrorCodes.ContextConflict, error.Code);
        Assert.Equal(3, (await silo.Context("taken").GetAsync()).Tokens);
    }

    [Fact, Trait("Invariant", "8")]
    public async Task CreateAsync_ManyCallersAtOnce_PrefillsOnce()
    {
        var ids = TokenInput.OfTokens(OneSilo.Ids(700, 3));
        using var prefilled = new TokenCount("granary.prefill.tokens");
        var created = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => OneSilo.CreateAsync(silo.Context("stampede"), ids)));
        Assert.Equal(700, prefilled.Total);
        Assert.All(created, static one => Assert.Equal((700, 3), (one.Context.Tokens, one.Context.Pages)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(700)]
    public async Task AskAsync_ResidentRestoredRecomputedOrWithoutCache_GivesTheSameBits(int tokens)
    {
        var ids = OneSilo.Ids(tokens, 10 + tokens);
        var context = silo.Context($"equal-{tokens}");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(ids));
        var request = new AskRequest { Prompt = Prompt, Options = Greedy };

        var resident = await OneSilo.EndAsync(context.AskAsync(request));
        Assert.True(await context.EvictAsync());
        var restored = await OneSilo.EndAsync(context.AskAsync(request));
        var recomputed = await OneSilo.EndAsync(context.AskAsync(request with { Plan = PlanChoice.Recompute }));
        var without = await OneSilo.EndAsync(silo.Nameless().GenerateAsync(
            new GenerateRequest { Context = TokenInput.OfTokens(ids), Prompt = Prompt, Options = Greedy, NoCache = true }));

        Assert.Equal(("resident", "load", "none", "none"), (resident.Plan.Decision, restored.Plan.Decision, recomputed.Plan.Decision, without.Plan.Decision));
        Assert.Equal(new AnswerUsage(tokens, 5, tokens, 0, 0, 12), resident.Usage);
        Assert.Equal(new AnswerUsage(tokens, 5, 0, tokens, 0, 12), restored.Usage);
        Assert.Equal(new AnswerUsage(tokens, 5, 0, 0, tokens, 12), recomputed.Usage);
        foreach (var other in new[] { restored, recomputed, without })
        {
            Assert.Equal(resident.TokenIds, other.TokenIds);
            Assert.Equal(resident.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits), other.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits));
        }
    }

    [Fact, Trait("Invariant", "2")]
    public async Task AskAsync_AfterASiloRestart_RestoresAndGivesTheSameBits()
    {
        await using var own = new RestartableSilo();
        await own.InitializeAsync();
        var ids = TokenInput.OfTokens(OneSilo.Ids(520, 4));
        await OneSilo.CreateAsync(own.Context("kept"), ids);
        var request = new AskRequest { Prompt = Prompt, Options = Greedy };
        var before = await OneSilo.EndAsync(own.Context("kept").AskAsync(request));

        await own.RestartAsync();
        var after = await OneSilo.EndAsync(own.Context("kept").AskAsync(request));

        Assert.Equal("load", after.Plan.Decision);
        Assert.Equal(before.TokenIds, after.TokenIds);
        Assert.Equal(before.LogProbabilities, after.LogProbabilities);
    }

    [Fact, Trait("Invariant", "1")]
    public async Task AskAsync_StoredPageIsDamaged_RecomputesAndRepairsIt()
    {
        var context = silo.Context("damaged");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(520, 5)));
        var request = new AskRequest { Prompt = Prompt, Options = Greedy };
        var before = await OneSilo.EndAsync(context.AskAsync(request));
        await context.EvictAsync();
        await DamageOneChunkAsync(520);

        var after = await OneSilo.EndAsync(context.AskAsync(request));
        Assert.Equal("mixed", after.Plan.Decision);
        Assert.Equal(before.TokenIds, after.TokenIds);
        Assert.Equal(before.LogProbabilities, after.LogProbabilities);

        // The repair runs beside the answer.
        await WaitUntilAsync(async () =>
        {
            await context.EvictAsync();
            return (await OneSilo.EndAsync(context.AskAsync(request))).Plan.Decision == "load";
        });
    }

    [Fact]
    public async Task AskAsync_NoSuchContext_SaysSo()
    {
        var error = await Assert.ThrowsAsync<GranaryException>(() => OneSilo.EndAsync(silo.Context("nobody").AskAsync(new AskRequest { Prompt = Prompt })));
        Assert.Equal(ErrorCodes.ContextNotFound, error.Code);
    }

    [Fact]
    public async Task AskAsync_BeyondTheWindow_IsRefusedBeforeAnyWork()
    {
        await OneSilo.CreateAsync(silo.Context("full"), TokenInput.OfTokens(OneSilo.Ids(2040, 6)));
        var ask = new AskRequest { Prompt = Prompt, Options = new GenerationOptions { MaxNewTokens = 4 } };
        var error = await Assert.ThrowsAsync<GranaryException>(() => OneSilo.EndAsync(silo.Context("full").AskAsync(ask)));
        Assert.Equal(ErrorCodes.ContextWindowExceeded, error.Code);

        // Without a wish for a number, the answer takes what the window leaves.
        var answer = await OneSilo.EndAsync(silo.Context("full").AskAsync(ask with { Options = new GenerationOptions { IgnoreEos = true } }));
        Assert.Equal(3, answer.TokenIds.Length);
    }

    [Theory]
    [InlineData(new int[0], ErrorCodes.EmptyInput)]
    [InlineData(new[] { 1, 2048 }, ErrorCodes.TokenOutOfVocabulary)]
    [InlineData(new[] { -1 }, ErrorCodes.TokenOutOfVocabulary)]
    public async Task CreateAsync_UnusableIds_IsRefusedAndNothingIsStored(int[] ids, string code)
    {
        var error = await Assert.ThrowsAsync<GranaryException>(() => OneSilo.CreateAsync(silo.Context("unusable"), TokenInput.OfTokens(ids)));
        Assert.Equal(code, error.Code);
        Assert.Equal(ErrorCodes.ContextNotFound, (await Assert.ThrowsAsync<GranaryException>(() => silo.Context("unusable").GetAsync())).Code);
    }

    [Fact]
    public async Task CreateAsync_TooLongWithTruncation_KeepsTheLastIdsAndRecordsIt()
    {
        var ids = OneSilo.Ids(2500, 7);
        ContextCreated? created = null;
        await foreach (var progress in silo.Context("cut").CreateAsync(
            new CreateContextRequest { Input = TokenInput.OfTokens(ids), TruncateLeft = true }, TestContext.Current.CancellationToken))
        {
            created = progress.Result;
        }

        Assert.Equal((2048 - 256, 2500 - 1792), (created!.Context.Tokens, created.Context.TruncatedTokens));
        var error = await Assert.ThrowsAsync<GranaryException>(() => OneSilo.CreateAsync(silo.Context("uncut"), TokenInput.OfTokens(ids)));
        Assert.Equal(ErrorCodes.ContextWindowExceeded, error.Code);
    }

    [Fact]
    public async Task DeleteAsync_Context_IsGoneAndItsNameIsFree()
    {
        var context = silo.Context("deleted");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(1, 2, 3));
        await context.DeleteAsync();
        Assert.Equal(ErrorCodes.ContextNotFound, (await Assert.ThrowsAsync<GranaryException>(() => context.GetAsync())).Code);
        var created = await OneSilo.CreateAsync(context, TokenInput.OfTokens(4, 5));
        Assert.Equal((2, false), (created.Context.Tokens, created.Existed));
    }

    [Fact]
    public async Task AskAsync_Cancelled_GivesItsBytesBack()
    {
        var context = silo.Context("cancelled");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(300, 8)));
        var before = silo.Registry.Budget.UsedBytes;
        using var stopping = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var part in context.AskAsync(new AskRequest { Prompt = Prompt, Options = new GenerationOptions { MaxNewTokens = 1000, IgnoreEos = true } }, stopping.Token))
            {
                await stopping.CancelAsync();
            }
        });
        await WaitUntilAsync(() => Task.FromResult(silo.Registry.Budget.UsedBytes == before));
    }

    [Fact]
    public async Task ScoreAsync_GreedyContinuation_AgreesWithTheAnswersLogProbabilities()
    {
        var context = silo.Context("scored");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(300, 9)));
        var answer = await OneSilo.EndAsync(context.AskAsync(new AskRequest { Prompt = Prompt, Options = Greedy }));
        ScoreResult? score = null;
        await foreach (var result in context.ScoreAsync(ScoreRequest.Of(TokenInput.OfTokens([.. Prompt.TokenIds!, .. answer.TokenIds]))))
        {
            score = result;
        }

        Assert.Equal(17, score!.LogProbabilities.Length);
        Assert.All(answer.LogProbabilities!.Zip(score.LogProbabilities[5..]), static pair => Assert.Equal(pair.First, pair.Second, 1e-4));
        Assert.Equal(score.LogProbabilities.Sum(), score.Sum, 1e-12);
    }

    [Fact]
    public async Task ScoreAsync_SeveralContinuations_OneResultEachInTheirOrder()
    {
        var context = silo.Context("scored-together");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(300, 9)));
        TokenInput[] continuations = [TokenInput.OfTokens(5, 6, 7), TokenInput.OfTokens(8), TokenInput.OfTokens(9, 10)];
        var together = await ScoreAsync(context, continuations);
        Assert.Equal(continuations.Select(static input => input.TokenIds), together.Select(static result => result.TokenIds));
        foreach (var (continuation, result) in continuations.Zip(together))
        {
            Assert.Equal((await ScoreAsync(context, continuation)).Single().LogProbabilities, result.LogProbabilities);
        }

        var none = await Assert.ThrowsAsync<GranaryException>(() => ScoreAsync(context));
        Assert.Equal(ErrorCodes.InvalidArgument, none.Code);
    }

    [Fact]
    public async Task AskAsync_RepetitionPenaltyAndStopIds_HoldWithAndWithoutCaches()
    {
        var context = silo.Context("penalized");
        var ids = OneSilo.Ids(300, 11);
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(ids));
        var options = Greedy with { RepetitionPenalty = 1.3 };
        var plain = await OneSilo.EndAsync(context.AskAsync(new AskRequest { Prompt = Prompt, Options = Greedy }));
        var asked = await OneSilo.EndAsync(context.AskAsync(new AskRequest { Prompt = Prompt, Options = options }));
        var generated = await OneSilo.EndAsync(silo.Context("~penalized").GenerateAsync(
            new GenerateRequest { Context = TokenInput.OfTokens(ids), Prompt = Prompt, Options = options, NoCache = true }));
        Assert.NotEqual(plain.TokenIds, asked.TokenIds);
        Assert.Equal(generated.TokenIds, asked.TokenIds);
        Assert.Equal(generated.LogProbabilities, asked.LogProbabilities);

        var stopped = await OneSilo.EndAsync(context.AskAsync(new AskRequest { Prompt = Prompt, Options = options with { StopIds = [asked.TokenIds[1]] } }));
        Assert.Equal("stop", stopped.FinishReason);
        Assert.Equal(asked.TokenIds[..(Array.IndexOf(asked.TokenIds, asked.TokenIds[1]) + 1)], stopped.TokenIds);
        var unknown = await Assert.ThrowsAsync<GranaryException>(
            () => OneSilo.EndAsync(context.AskAsync(new AskRequest { Prompt = Prompt, Options = options with { StopIds = [-1] } })));
        Assert.Equal(ErrorCodes.TokenOutOfVocabulary, unknown.Code);
    }

    private static async Task<List<ScoreResult>> ScoreAsync(IContextGrain context, params TokenInput[] continuations)
    {
        var results = new List<ScoreResult>();
        await foreach (var result in context.ScoreAsync(ScoreRequest.Of(continuations)))
        {
            results.Add(result);
        }

        return results;
    }

    private async Task DamageOneChunkAsync(int tokens)
    {
        // The last page of 520 tokens has 8: no other test stores a page of that size.
        await foreach (var chunk in silo.Store.ListAsync("chunks/", TestContext.Current.CancellationToken))
        {
            var found = await silo.Store.FindAsync(chunk.Key, TestContext.Current.CancellationToken);
            var content = found!.Content;
            if (content.Length > 200_000 || !System.Text.Encoding.ASCII.GetString(content, 8, 400).Contains("\"count\":\"8\"", StringComparison.Ordinal))
            {
                continue;
            }

            content[^100] ^= 1;
            await silo.Store.PutAsync(chunk.Key, new(content), Storage.Objects.Precondition.None, TestContext.Current.CancellationToken);
            return;
        }

        Assert.Fail($"No chunk with the last page of {tokens} tokens was found.");
    }

    private static async Task WaitUntilAsync(Func<Task<bool>> condition)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!await condition())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, deadline.Token);
        }
    }

    private sealed class RestartableSilo : OneSilo;
}
