using Granary.Inference.Pages;

namespace Granary.Inference.Tests.Pages;

[Trait("Invariant", "9")]
public sealed class KvPageTests
{
    private static readonly KvLayout Layout = new(2, 3, 4, KvDtype.Float32, 16);

    [Fact]
    public async Task Release_LastReference_ReturnsBytesAndFreesOnce()
    {
        var budget = new KvBudget(10_000);
        var page = await PageAsync(budget);
        Assert.Equal(2 * 2 * 3 * 4 * sizeof(float) * 16, page.Bytes);
        page.AddReference();
        page.Release();
        Assert.Equal(page.Bytes, budget.UsedBytes);
        page.Release();

        Assert.Equal(0, budget.UsedBytes);
        Assert.Throws<ObjectDisposedException>(page.AddReference);
        Assert.Throws<ObjectDisposedException>(() => page.Span.Length);
    }

    [Fact]
    public async Task Release_OfAFullPage_GivesItsMemoryToTheNext()
    {
        var layout = new KvLayout(1, 1, 1024, KvDtype.Float32, 32); // 256 KiB: of no model that other tests load
        using var bytes = await new KvBudget(1 << 20).AdmitAsync(2 * layout.BytesPerToken * 32, batch: false, CancellationToken.None);
        var page = KvPage.Allocate(layout, 0, 32, bytes);
        var address = page.Data.Address;
        page.Release();

        var next = KvPage.Allocate(layout, 32, 32, bytes);
        Assert.Equal(address, next.Data.Address);
        next.Release();
    }

    [Fact]
    public async Task Memory_OfAPage_IsAlignedAndWritable()
    {
        var page = await PageAsync(new KvBudget(10_000));
        page.Span.Fill(7);
        Assert.Equal(7, page.Memory.Span[^1]);
        Assert.Equal(0, page.Data.Address % 64);
        page.Release();
    }

    [Fact]
    public async Task Share_SameHashTwice_KeepsTheFirstAndReleasesTheSecond()
    {
        var budget = new KvBudget(10_000);
        var table = new KvPageTable();
        var first = table.Share("a", await PageAsync(budget));
        var second = table.Share("a", await PageAsync(budget));

        Assert.Same(first, second);
        Assert.Equal("a", first.Key);
        Assert.Equal(first.Bytes, budget.UsedBytes);
        Assert.Same(first, table.Find("a"));
        first.Release();
        first.Release();
        Assert.Equal(1, table.Count);
        first.Release();
        Assert.Equal(0, table.Count);
        Assert.Null(table.Find("a"));
        Assert.Equal(0, budget.UsedBytes);
    }

    [Fact]
    public async Task FindShareRelease_FromManyThreads_NeverGivesADeadPage()
    {
        var budget = new KvBudget(100_000);
        var table = new KvPageTable();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            for (var round = 0; round < 2_000; round++)
            {
                var page = table.Find("k") ?? table.Share("k", await PageAsync(budget));
                page.Span[0] = 1; // throws on a dead page
                page.Release();
            }
        })));

        Assert.Equal(0, table.Count);
        Assert.Equal(0, budget.UsedBytes);
    }

    [Fact]
    public async Task Tail_Disposed_ReturnsItsBytes()
    {
        var budget = new KvBudget(100_000);
        using var reservation = await budget.AdmitAsync(Layout.BytesPerToken * 5, false, default);
        var tail = KvTail.Allocate(Layout, 3, 5, reservation);
        tail.Dispose();
        tail.Dispose();
        Assert.Equal(0, budget.UsedBytes);
    }

    private static async Task<KvPage> PageAsync(KvBudget budget)
    {
        using var reservation = await budget.AdmitAsync(Layout.BytesPerToken * 16, false, default);
        return KvPage.Allocate(Layout, 0, 16, reservation);
    }
}
