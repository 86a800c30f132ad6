using Granary.Inference.Pages;

namespace Granary.Inference.Tests.Pages;

[Trait("Invariant", "9")]
public sealed unsafe class KvFreeListTests
{
    private const long Size = 1 << 20;

    [Fact]
    public void Allocate_AfterAFreeOfThatSize_GivesTheSameMemory()
    {
        var list = new KvFreeList(4 * Size);
        var (first, second) = ((nint)list.Allocate(Size), (nint)list.Allocate(Size));
        list.Free((void*)first, Size);
        list.Free((void*)second, Size);
        Assert.Equal(2 * Size, list.Bytes);

        Assert.Equal(second, (nint)list.Allocate(Size)); // the one that is still in the processor's caches
        Assert.Equal(first, (nint)list.Allocate(Size));
        Assert.Equal(0, list.Bytes);
        Clear(list, first, second);
    }

    [Fact]
    public void Allocate_OfAnotherSize_GivesOtherMemory()
    {
        var list = new KvFreeList(4 * Size);
        var small = (nint)list.Allocate(Size);
        list.Free((void*)small, Size);
        var large = (nint)list.Allocate(2 * Size);

        Assert.NotEqual(small, large);
        Assert.Equal(Size, list.Bytes);
        list.Free((void*)large, 2 * Size);
    }

    [Fact]
    public void Free_MoreThanTheLimit_KeepsNoMore()
    {
        var list = new KvFreeList(2 * Size);
        nint[] blocks = [.. Enumerable.Range(0, 5).Select(_ => (nint)list.Allocate(Size))];
        foreach (var block in blocks)
        {
            list.Free((void*)block, Size);
            Assert.InRange(list.Bytes, 0, 2 * Size);
        }

        Assert.Equal(2 * Size, list.Bytes);
    }

    [Fact]
    public void Free_LargerThanTheLimit_KeepsWhatIsThere()
    {
        var list = new KvFreeList(2 * Size);
        var (kept, large) = ((nint)list.Allocate(Size), (nint)list.Allocate(3 * Size));
        list.Free((void*)kept, Size);
        list.Free((void*)large, 3 * Size);
        Assert.Equal(Size, list.Bytes);
    }

    [Fact]
    public void Allocate_MoreThanThereIs_GivesBackWhatIsKept()
    {
        var list = new KvFreeList(2 * Size);
        var kept = (nint)list.Allocate(Size);
        list.Free((void*)kept, Size);
        Assert.Throws<OutOfMemoryException>(() => (nint)list.Allocate(long.MaxValue / 2));
        Assert.Equal(0, list.Bytes);
    }

    [Fact]
    public void Free_WithoutRoom_DropsOtherSizesFirst()
    {
        var list = new KvFreeList(3 * Size);
        nint[] old = [.. Enumerable.Range(0, 3).Select(_ => (nint)list.Allocate(Size))];
        var used = (nint)list.Allocate(2 * Size);
        foreach (var block in old)
        {
            list.Free((void*)block, Size);
        }

        list.Free((void*)used, 2 * Size);

        Assert.Equal(3 * Size, list.Bytes); // one of the old ones, and the new one
        Assert.Equal(used, (nint)list.Allocate(2 * Size));
    }

    private static void Clear(KvFreeList list, params ReadOnlySpan<nint> blocks)
    {
        foreach (var block in blocks)
        {
            list.Free((void*)block, Size);
        }
    }
}
