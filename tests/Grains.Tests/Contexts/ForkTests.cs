using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Tests.Hosting;
using Granary.Storage.Objects;

namespace Granary.Grains.Tests.Contexts;

/// <summary>A context that is made of another one, on the same chunks.</summary>
[Collection("Engine")]
public sealed class ForkTests(OneSilo silo) : IClassFixture<OneSilo>
{
    private static readonly AskRequest Question = new()
    {
        Prompt = TokenInput.OfTokens(5, 6, 7),
        Options = new GenerationOptions { MaxNewTokens = 6, IgnoreEos = true, LogProbabilities = true },
    };

    [Fact]
    public async Task ForkAsync_AStoredContext_ComputesAndWritesNothing()
    {
        await OneSilo.CreateAsync(silo.Context("parent"), TokenInput.OfTokens(OneSilo.Ids(600, 1)));
        var chunks = await silo.Store.ListAsync("chunks/", TestContext.Current.CancellationToken).CountAsync(TestContext.Current.CancellationToken);

        var forked = await ForkAsync("child", new ForkRequest { Parent = "parent", TimeToLive = TimeSpan.FromHours(1), Labels = new() { ["of"] = "test" } });

        Assert.Equal((false, 0, 0L, 1L), (forked.Existed, forked.PrefilledTokens, forked.WrittenBytes, forked.Version));
        Assert.Equal(("child", "parent", "stored", 600, 3), (forked.Context.Context, forked.Context.Parent, forked.Context.State, forked.Context.Tokens, forked.Context.Pages));
        Assert.Equal("test", forked.Context.Labels["of"]);
        Assert.NotNull(forked.Context.Expires);
        Assert.Equal(chunks, await silo.Store.ListAsync("chunks/", TestContext.Current.CancellationToken).CountAsync(TestContext.Current.CancellationToken));
        AssertSame(await AskAsync("parent"), await AskAsync("child"));
    }

    [Fact]
    public async Task ForkAsync_ThenEitherGrowsOrGoes_TheOtherStaysWhatItWas()
    {
        await OneSilo.CreateAsync(silo.Context("root"), TokenInput.OfTokens(OneSilo.Ids(300, 2)));
        await ForkAsync("branch", new ForkRequest { Parent = "root" });
        var before = await AskAsync("branch");

        await silo.Context("root").AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(1, 2) }).LastAsync(TestContext.Current.CancellationToken);
        AssertSame(before, await AskAsync("branch"));
        await silo.Context("root").DeleteAsync();
        await silo.DeactivateAllAsync();
        AssertSame(before, await AskAsync("branch"));
        Assert.Equal("load", (await AskAsync("branch", evict: true)).Plan.Decision);
    }

    [Fact, Trait("Invariant", "3")]
    public async Task ForkAsync_AChunkIsMissing_ItIsComputedOnceMore()
    {
        var ids = OneSilo.Ids(300, 3);
        await OneSilo.CreateAsync(silo.Context("hole"), TokenInput.OfTokens(ids));
        var expected = await AskAsync("hole");
        var before = await silo.Store.ListAsync("chunks/", TestContext.Current.CancellationToken).Select(static info => info.Key).ToListAsync(TestContext.Current.CancellationToken);
        await OneSilo.CreateAsync(silo.Context("same"), TokenInput.OfTokens(OneSilo.Ids(20, 4)));
        await silo.Context("hole").EvictAsync();
        foreach (var key in before)
        {
            await silo.Store.DeleteAsync(key, Precondition.None, TestContext.Current.CancellationToken);
        }

        var forked = await ForkAsync("filled", new ForkRequest { Parent = "hole" });
        Assert.Equal((300, "stored"), (forked.PrefilledTokens, forked.Context.State));
        AssertSame(expected, await AskAsync("filled", evict: true));
    }

    [Fact]
    public async Task ForkAsync_SentAgainOrOverSomethingElse_IsDoneOnceOrRefused()
    {
        await OneSilo.CreateAsync(silo.Context("a"), TokenInput.OfTokens(1, 2, 3));
        await OneSilo.CreateAsync(silo.Context("b"), TokenInput.OfTokens(1, 2, 4));
        var request = new ForkRequest { Parent = "a", OperationId = "once" };
        Assert.False((await ForkAsync("c", request)).Existed);
        Assert.True((await ForkAsync("c", request)).Existed);
        Assert.True((await ForkAsync("c", request with { OperationId = "twice" })).Existed); // same ids: the same context

        await AssertFailsAsync(ErrorCodes.ContextConflict, () => ForkAsync("b", request));
        await AssertFailsAsync(ErrorCodes.InvalidArgument, () => ForkAsync("a", request));
        await AssertFailsAsync(ErrorCodes.ContextNotFound, () => ForkAsync("d", request with { Parent = "nobody" }));
        await AssertFailsAsync(ErrorCodes.InvalidName, () => ForkAsync("d", request with { Parent = "../a" }));
        await AssertFailsAsync(ErrorCodes.ContextConflict, () => ForkAsync("d", request with { IfVersion = 2 }));
        await AssertFailsAsync(ErrorCodes.InvalidArgument, () => ForkAsync("d", request with { TimeToLive = TimeSpan.Zero }));
        await silo.Context("c").DeleteAsync();
        await AssertFailsAsync(ErrorCodes.ContextNotFound, () => ForkAsync("c", request)); // it was done, and deleted since
    }

    [Fact]
    public async Task ForkAsync_SentAgainAfterTheParentHasGrownAndGone_IsDoneAsItWas()
    {
        await OneSilo.CreateAsync(silo.Context("moving"), TokenInput.OfTokens(1, 2, 3));
        var request = new ForkRequest { Parent = "moving", IfVersion = 1, OperationId = "moved" };
        await ForkAsync("left", request);
        await silo.Context("moving").AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(4) }).LastAsync(TestContext.Current.CancellationToken);
        Assert.Equal((true, 3), await AgainAsync());
        await silo.Context("left").AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(5, 6) }).LastAsync(TestContext.Current.CancellationToken);
        await silo.Context("moving").DeleteAsync();
        Assert.Equal((true, 5), await AgainAsync());

        async Task<(bool Existed, int Tokens)> AgainAsync()
        {
            var again = await ForkAsync("left", request);
            return (again.Existed, again.Context.Tokens);
        }
    }

    private Task<ContextCreated> ForkAsync(string name, ForkRequest request) => ResultAsync(silo.Context(name).ForkAsync(request, TestContext.Current.CancellationToken));

    private static async Task<ContextCreated> ResultAsync(IAsyncEnumerable<ContextProgress> stream) => (await stream.LastAsync()).Result!;

    private async Task<Answer> AskAsync(string name, bool evict = false)
    {
        if (evict)
        {
            await silo.Context(name).EvictAsync();
        }

        return await OneSilo.EndAsync(silo.Context(name).AskAsync(Question));
    }

    private static async Task AssertFailsAsync(string code, Func<Task> act) => Assert.Equal(code, (await Assert.ThrowsAsync<GranaryException>(act)).Code);

    private static void AssertSame(Answer expected, Answer actual)
    {
        Assert.Equal(expected.TokenIds, actual.TokenIds);
        Assert.Equal(expected.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits), actual.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits));
    }
}
