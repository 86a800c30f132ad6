using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Tests.Hosting;
using Granary.Storage.Manifests;

namespace Granary.Grains.Tests.Contexts;

/// <summary>Requests that are sent again with their operation ids count once.</summary>
[Collection("Engine")]
public sealed class OperationTests(OneSilo silo) : IClassFixture<OneSilo>
{
    private const int EndOfText = 0; // the sample model's

    private static readonly AskRequest Question = new()
    {
        Prompt = TokenInput.OfTokens(5, 6, 7),
        Options = new GenerationOptions { MaxNewTokens = 6, IgnoreEos = true, Temperature = 1, LogProbabilities = true },
        Keep = true,
        OperationId = "turn",
    };

    [Fact]
    public async Task AppendAsync_SentAgain_CountsOnceAndSaysWhichVersionItMade()
    {
        var context = silo.Context("append-again");
        await CreateAsync(context, [1, 2, 3], "made");
        var first = await AppendAsync(context, [4, 5], "one");
        var second = await AppendAsync(context, [6], "two");
        await silo.DeactivateAllAsync();
        var again = await AppendAsync(context, [4, 5], "one");

        Assert.Equal((2L, false), (first.Version, first.Existed));
        Assert.Equal((2L, true, 3L), (again.Version, again.Existed, again.Context.Version));
        Assert.Equal(3, second.Version);
        Assert.Equal((3L, 6), await StandAsync(context));
    }

    [Fact]
    public async Task AppendAsync_SentAgainAfterAHundredOthers_CountsOnce()
    {
        var context = silo.Context("append-late");
        await CreateAsync(context, [1, 2, 3], "made");
        await AppendAsync(context, [4], "one");
        for (var other = 0; other < 100; other++)
        {
            await AppendAsync(context, [5], $"other-{other}");
        }

        var again = await AppendAsync(context, [4], "one");

        Assert.Equal((2L, true), (again.Version, again.Existed));
        Assert.Equal((102L, 104), await StandAsync(context));
    }

    [Fact]
    public async Task AppendAsync_OtherIdsUnderTheSameOperation_AreRefused()
    {
        var context = silo.Context("append-other");
        await CreateAsync(context, [1, 2, 3], "made");
        await AppendAsync(context, [4, 5], "one");

        await AssertFailsAsync(ErrorCodes.InvalidArgument, () => AppendAsync(context, [4, 6], "one"));
        await AssertFailsAsync(ErrorCodes.InvalidArgument, () => AppendAsync(context, [4], "one"));
        await AssertFailsAsync(ErrorCodes.InvalidArgument, () => AppendAsync(context, [4, 5], ""));
        await AssertFailsAsync(ErrorCodes.InvalidArgument, () => AppendAsync(context, [4, 5], new string('x', 129)));
        Assert.Equal((2L, 5), await StandAsync(context));
    }

    [Fact]
    public async Task AppendAsync_SentAgainToAnotherProcess_CountsOnce()
    {
        await CreateAsync(silo.Context("append-there"), [1, 2, 3], "made");
        await using var other = new SecondSilo(silo.Store);
        await other.InitializeAsync();
        await other.Context("append-there").GetAsync();

        var here = await AppendAsync(silo.Context("append-there"), [4, 5], "one");
        var there = await AppendAsync(other.Context("append-there"), [4, 5], "one");

        Assert.Equal((here.Version, true, 5), (there.Version, there.Existed, there.Context.Tokens));
    }

    [Fact]
    public async Task AppendAsync_TwoProcessesAtOnce_AllAreThere()
    {
        const int Each = 12;
        await CreateAsync(silo.Context("both"), [1], "made");
        await using var other = new SecondSilo(silo.Store);
        await other.InitializeAsync();

        var made = await Task.WhenAll(new[] { silo.Context("both"), other.Context("both") }.SelectMany(static (context, process) => Enumerable.Range(0, Each).Select(i => AppendAsync(context, [100 * process + i + 2], $"{process}.{i}"))));

        Assert.Equal(Enumerable.Range(2, 2 * Each), made.Select(static created => (int)created.Version).Order());
        await silo.DeactivateAllAsync();
        Assert.Equal((1L + (2 * Each), 1 + (2 * Each)), await StandAsync(silo.Context("both")));
    }

    [Fact, Trait("Invariant", "4")]
    public async Task CreateAsync_SentAgainAfterTheDeletion_DoesNotBringItBack()
    {
        var context = silo.Context("late");
        await CreateAsync(context, [1, 2, 3], "made");
        await context.DeleteAsync("deleted");
        await silo.DeactivateAllAsync();

        await AssertFailsAsync(ErrorCodes.ContextNotFound, () => CreateAsync(context, [1, 2, 3], "made"));
        await AssertFailsAsync(ErrorCodes.ContextNotFound, () => context.GetAsync());
        Assert.False((await CreateAsync(context, [7, 8], "made-anew")).Existed);
        Assert.Equal((1L, 2), await StandAsync(context));
        await AssertFailsAsync(ErrorCodes.ContextConflict, () => CreateAsync(context, [1, 2, 3], "made")); // what it made is gone, and this is another's
    }

    [Fact]
    public async Task CreateAsync_SentAgainAfterItHasGrown_IsDone()
    {
        var context = silo.Context("grown");
        await CreateAsync(context, [1, 2, 3], "made");
        await AppendAsync(context, [4], "one");

        var again = await CreateAsync(context, [1, 2, 3], "made");
        Assert.Equal((true, 1L, 4), (again.Existed, again.Version, again.Context.Tokens));
        await AssertFailsAsync(ErrorCodes.ContextConflict, () => CreateAsync(context, [1, 2, 3], "another"));
        await AssertFailsAsync(ErrorCodes.InvalidArgument, () => CreateAsync(context, [1, 2, 4], "made"));
        await AssertFailsAsync(ErrorCodes.InvalidArgument, () => CreateAsync(context, [4], "one"));
    }

    [Fact, Trait("Invariant", "4")]
    public async Task DeleteAsync_SentAgain_IsDoneAndLeavesTheNextLifeAlone()
    {
        var context = silo.Context("twice");
        await CreateAsync(context, [1, 2, 3], "made");
        await context.DeleteAsync("deleted");
        await context.DeleteAsync("deleted");
        await AssertFailsAsync(ErrorCodes.ContextNotFound, () => context.DeleteAsync("another"));
        await CreateAsync(context, [1, 2], "made-anew");
        await silo.DeactivateAllAsync();

        await context.DeleteAsync("deleted");
        Assert.Equal((1L, 2), await StandAsync(context));
        await AssertFailsAsync(ErrorCodes.ContextConflict, async () =>
        {
            await AppendAsync(context, [3], "one");
            await context.DeleteAsync("deleted-again");
            await CreateAsync(context, [1, 2], "made-once-more");
            await AppendAsync(context, [3], "one"); // was done, to what is gone
        });
    }

    [Fact]
    public async Task AskAsync_KeptAndSentAgain_IsTheSameAnswerAndOneVersion()
    {
        var context = silo.Context("keep-again");
        await CreateAsync(context, OneSilo.Ids(270, 3), "made");
        var first = await OneSilo.EndAsync(context.AskAsync(Question));
        await AppendAsync(context, [9], "one");
        await silo.DeactivateAllAsync();

        // Without a seed another answer would be drawn: what was kept is told.
        var again = await OneSilo.EndAsync(context.AskAsync(Question));

        Assert.Equal((1L, 2L), (again.Version!.Value, again.KeptVersion!.Value));
        Assert.Equal((first.TokenIds, first.Text, first.FinishReason), (again.TokenIds, again.Text, again.FinishReason), AnswerParts);
        Assert.Equal(first.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits), again.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits));
        Assert.Equal((3L, 270 + 3 + 6 + 1), await StandAsync(context));
        await AssertFailsAsync(ErrorCodes.InvalidArgument, () => OneSilo.EndAsync(context.AskAsync(Question with { Prompt = TokenInput.OfTokens(5, 6, 8) })));
    }

    // Two silos that each think they own the context: without a seed each would draw another answer.
    [Theory, InlineData(false), InlineData(true), Trait("Invariant", "4")]
    public async Task AskAsync_AnotherProcessHasKeptAnotherAnswerOfTheSameRequest_IsNotAcknowledged(bool isShorter)
    {
        var name = $"drawn-twice-{isShorter}";
        var overtaken = new OvertakenStore(silo.Store);
        await using var other = new SecondSilo(overtaken);
        await other.InitializeAsync();
        await CreateAsync(other.Context(name), [1, 2, 3], "made");

        // The seed tells what the slower one is going to draw. The quicker one's differs in its last id alone, or ends there.
        var asked = Question with { Options = Question.Options with { Seed = 7, IgnoreEos = false } };
        var drawn = (await OneSilo.EndAsync(other.Context(name).AskAsync(asked with { Keep = false, OperationId = null }))).TokenIds;
        Assert.Equal(6, drawn.Length);
        int[] kept = isShorter ? [.. drawn[..3], EndOfText] : [.. drawn[..^1], drawn[^1] == 9 ? 8 : 9];
        var manifests = new ManifestStore(silo.Store);
        overtaken.Overtake($"contexts/default/{OneSilo.Model}/{name}.json", async () =>
        {
            var stored = (await manifests.FindAsync("default", OneSilo.Model, name, TestContext.Current.CancellationToken))!;
            var next = stored.Manifest with
            {
                Version = 2,
                TokenIds = [1, 2, 3, 5, 6, 7, .. kept],
                Chunks = new Dictionary<string, ManifestChunk[]>(), // of other numerics
                Operations = [.. stored.Manifest.Operations, new ManifestOperation("turn", 2, Start: 3, Count: 3 + kept.Length)],
            };
            await manifests.CommitAsync(next, stored, TestContext.Current.CancellationToken);
        });

        await AssertFailsAsync(ErrorCodes.InvalidArgument, () => OneSilo.EndAsync(other.Context(name).AskAsync(asked)));

        int[] ids = [1, 2, 3, 5, 6, 7, .. kept];
        Assert.Equal(ids, (await manifests.FindAsync("default", OneSilo.Model, name, TestContext.Current.CancellationToken))!.Manifest.TokenIds);
        var again = await OneSilo.EndAsync(other.Context(name).AskAsync(asked));
        Assert.Equal(kept, again.TokenIds);
        Assert.Equal(2, again.KeptVersion);
        Assert.Equal((2L, 6 + kept.Length), await StandAsync(other.Context(name)));
    }

    private static bool AnswerParts((int[] Ids, string? Text, string Reason) one, (int[] Ids, string? Text, string Reason) other) =>
        one.Ids.SequenceEqual(other.Ids) && (one.Text, one.Reason) == (other.Text, other.Reason);

    private static async Task<(long Version, int Tokens)> StandAsync(IContextGrain context)
    {
        var description = await context.GetAsync();
        return (description.Version, description.Tokens);
    }

    private static Task<ContextCreated> CreateAsync(IContextGrain context, int[] ids, string operation) =>
        ResultOfAsync(context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(ids), OperationId = operation }, TestContext.Current.CancellationToken));

    private static Task<ContextCreated> AppendAsync(IContextGrain context, int[] ids, string operation) =>
        ResultOfAsync(context.AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(ids), OperationId = operation }, TestContext.Current.CancellationToken));

    private static async Task<ContextCreated> ResultOfAsync(IAsyncEnumerable<ContextProgress> stream) => (await stream.LastAsync()).Result!;

    private static async Task AssertFailsAsync(string code, Func<Task> act) => Assert.Equal(code, (await Assert.ThrowsAsync<GranaryException>(act)).Code);
}
