using System.Buffers;
using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Tests.Hosting;
using Granary.Storage.Objects;

namespace Granary.Grains.Tests.Contexts;

[Collection("Engine")] // the counters of DESIGN §9 belong to the process
public sealed class ContextLifeTests(OneSilo silo) : IClassFixture<OneSilo>
{
    private static readonly AskRequest Ask = new()
    {
        Prompt = TokenInput.OfTokens(5, 6, 7),
        Options = new GenerationOptions { MaxNewTokens = 6, IgnoreEos = true, LogProbabilities = true },
    };

    [Fact, Trait("Invariant", "8")]
    public async Task AskAsync_OnlyCallerOfARestoreLeaves_TheNextOneIsAnswered()
    {
        var context = silo.Context("left");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(1800, 31)));
        for (var round = 0; round < 5; round++)
        {
            await context.EvictAsync();
            using var leaving = new CancellationTokenSource();
            var left = OneSilo.EndAsync(context.AskAsync(Ask, leaving.Token));
            await leaving.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
            Assert.Equal(6, (await OneSilo.EndAsync(context.AskAsync(Ask))).TokenIds.Length);
        }
    }

    [Fact, Trait("Invariant", "4")]
    public async Task DeleteAsync_WhileItIsCreated_FreesTheNameForOtherIds()
    {
        var context = silo.Context("raced");
        var creating = OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(1800, 32)));
        await foreach (var progress in context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(OneSilo.Ids(1800, 32)) }))
        {
            break; // accepted
        }

        await context.DeleteAsync();
        try
        {
            await creating;
        }
        catch (GranaryException e)
        {
            // It may have been acknowledged before the delete; where it was not, it says why.
            Assert.Equal(ErrorCodes.ContextNotFound, e.Code);
        }

        var other = OneSilo.Ids(40, 33);
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(other));
        var answer = await OneSilo.EndAsync(context.AskAsync(Ask));
        var fresh = await OneSilo.EndAsync(silo.Nameless().GenerateAsync(
            new GenerateRequest { Context = TokenInput.OfTokens(other), Prompt = Ask.Prompt, Options = Ask.Options, NoCache = true }));
        Assert.Equal(fresh.TokenIds, answer.TokenIds);
        Assert.Equal(fresh.LogProbabilities, answer.LogProbabilities);
    }

    [Fact]
    public async Task AskAsync_Expired_IsNotFoundAndItsNameIsFree()
    {
        var context = silo.Context("expired");
        await foreach (var _ in context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(1, 2, 3), TimeToLive = TimeSpan.FromMilliseconds(1) }))
        {
        }

        var error = await Assert.ThrowsAsync<GranaryException>(() => OneSilo.EndAsync(context.AskAsync(Ask)));
        Assert.Equal(ErrorCodes.ContextNotFound, error.Code);
        Assert.Equal(2, (await OneSilo.CreateAsync(context, TokenInput.OfTokens(9, 8))).Context.Tokens);
    }

    [Fact, Trait("Invariant", "3")]
    public async Task DeleteAsync_ManifestCannotBeTrusted_CanStillBeDeleted()
    {
        const string key = $"contexts/default/{OneSilo.Model}/flipped.json";
        var cancellationToken = TestContext.Current.CancellationToken;
        await OneSilo.CreateAsync(silo.Context("flipped"), TokenInput.OfTokens(1, 2, 3));
        var content = (await silo.Store.FindAsync(key, cancellationToken))!.Content;
        content[content.Length / 2] ^= 1;
        await silo.Store.PutAsync(key, new ReadOnlySequence<byte>(content), Precondition.None, cancellationToken);

        await using var other = new SecondSilo(silo.Store);
        await other.InitializeAsync();
        Assert.Equal(ErrorCodes.ManifestInvalid, (await Assert.ThrowsAsync<GranaryException>(() => other.Context("flipped").GetAsync())).Code);
        await other.Context("flipped").DeleteAsync();
        Assert.Equal(ErrorCodes.ContextNotFound, (await Assert.ThrowsAsync<GranaryException>(() => other.Context("flipped").GetAsync())).Code);
        Assert.False((await OneSilo.CreateAsync(other.Context("flipped"), TokenInput.OfTokens(1, 2, 3))).Existed);
    }

    [Fact, Trait("Invariant", "4")]
    public async Task CreateAsync_ItsTombstoneIsCollectedMeanwhile_CreatesAllTheSame()
    {
        const string key = $"contexts/default/{OneSilo.Model}/collected.json";
        var cancellationToken = TestContext.Current.CancellationToken;
        var overtaken = new OvertakenStore(silo.Store);
        await using var other = new SecondSilo(overtaken);
        await other.InitializeAsync();
        await OneSilo.CreateAsync(other.Context("collected"), TokenInput.OfTokens(1, 2, 3));
        await other.Context("collected").DeleteAsync();
        overtaken.Overtake(key, () => silo.Store.DeleteAsync(key, Precondition.None, cancellationToken)); // as a sweep does

        var created = await OneSilo.CreateAsync(other.Context("collected"), TokenInput.OfTokens(4, 5));

        Assert.Equal(("stored", 2, false), (created.Context.State, created.Context.Tokens, created.Existed));
    }

    [Fact, Trait("Invariant", "4")]
    public async Task CreateAsync_TwoSilosOnOneStoreAtOnce_BothAcknowledgeTheSameContext()
    {
        await using var other = new SecondSilo(silo.Store);
        await other.InitializeAsync();
        for (var round = 0; round < 5; round++)
        {
            var ids = TokenInput.OfTokens(OneSilo.Ids(300, 40 + round));
            var created = await Task.WhenAll(OneSilo.CreateAsync(silo.Context($"both-{round}"), ids), OneSilo.CreateAsync(other.Context($"both-{round}"), ids));
            Assert.All(created, static one => Assert.Equal(("stored", 300), (one.Context.State, one.Context.Tokens)));
        }
    }
}
