using Granary.Client.Contexts;
using Granary.Contexts;

namespace Granary.Client.Tests.Contexts;

public sealed class ContextPagesTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ReadAllAsync_PagesOfAnySize_AreReadOneAfterTheOtherUntilThereIsNone()
    {
        var asked = new List<string?>();
        var pages = new Dictionary<string, ContextPage>
        {
            [""] = Page("b", "a", "b"),
            ["b"] = Page("f"), // nothing was selected, and yet it goes on
            ["f"] = Page(null, "g"),
        };

        var names = await ContextPages.ReadAllAsync(
            (after, _) =>
            {
                asked.Add(after);
                return Task.FromResult(pages[after ?? ""]);
            },
            Stopping).Select(static context => context.Context).ToListAsync(Stopping);

        Assert.Equal(["a", "b", "g"], names);
        Assert.Equal([null, "b", "f"], asked);
    }

    [Fact]
    public async Task ReadAllAsync_CallerHasEnough_ReadsNoFurtherPage()
    {
        var reads = 0;
        await foreach (var context in ContextPages.ReadAllAsync((_, _) => Task.FromResult(Page($"{++reads}", "a", "b")), Stopping))
        {
            if (context.Context == "b")
            {
                break;
            }
        }

        Assert.Equal(1, reads);
    }

    private static ContextPage Page(string? continuation, params string[] names) => new(
        [.. names.Select(static name => new ContextDescription
        {
            Context = name,
            Model = "m",
            State = "stored",
            Version = 1,
            Tokens = 1,
            Pages = 1,
            StoredBytes = 1,
            Resident = false,
            Created = DateTimeOffset.UnixEpoch,
            Labels = [],
        })],
        continuation);
}
