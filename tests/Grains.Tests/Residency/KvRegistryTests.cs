using Granary.Errors;
using Granary.Grains.Residency;
using Granary.Inference.Errors;
using Granary.Inference.Pages;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Grains.Tests.Residency;

[Collection("Engine")] // the counters of DESIGN §9 belong to the process
public sealed class KvRegistryTests
{
    private const int PageBytes = 128;
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly KvLayout Layout = new(Layers: 1, KvHeads: 1, HeadDim: 4, KvDtype.Float32, PageSize: 4);

    private readonly FakeTimeProvider _time = new();
    private readonly KvRegistry _registry;

    public KvRegistryTests() => _registry = new(
        Options.Create(new ResidencyOptions { BudgetBytes = 8 * PageBytes }),
        Options.Create(new TenantsOptions { ["small"] = new() { ResidentBytes = 4 * PageBytes } }),
        _time,
        NullLogger<KvRegistry>.Instance);

    private long Used => _registry.Budget.UsedBytes;

    [Fact, Trait("Invariant", "10")]
    public void ReserveStaging_ModelsWithACodec_SetAsideTheLargestPagesOfAsManyWritesOnce()
    {
        _registry.ReserveStaging(Layout);
        Assert.Equal(8 * PageBytes, _registry.Budget.TotalBytes);

        var encoded = Layout with { Codec = KvCodec.BFloat16 }; // half the bytes, four at a time
        _registry.ReserveStaging(encoded);
        _registry.ReserveStaging(encoded);
        _registry.ReserveStaging(encoded with { PageSize = Layout.PageSize / 2 });
        Assert.Equal(6 * PageBytes, _registry.Budget.TotalBytes);
        Assert.Throws<InferenceException>(() => _registry.ReserveStaging(encoded with { PageSize = 16 * Layout.PageSize }));
        Assert.Equal(6 * PageBytes, _registry.Budget.TotalBytes);
    }

    [Fact, Trait("Invariant", "9")]
    public async Task TryRead_BeforeTheLeaseIsComplete_GivesNothing()
    {
        var lease = _registry.Open(Activation.Start().Context, "default", reclaimFirst: false);
        using (lease.BeginFill())
        {
            lease.Attach(await NewPageAsync());
            Assert.Null(lease.TryRead());
            Assert.False(lease.IsResident);
            lease.Complete();
        }

        Assert.True(lease.IsResident);
        using var reader = lease.TryRead();
        Assert.Equal(PageBytes, Assert.Single(reader!.Pages).Bytes);
    }

    [Fact, Trait("Invariant", "9")]
    public async Task Close_WhileSomebodyReads_KeepsThePagesUntilTheLastReaderLeaves()
    {
        var lease = await ResidentAsync(pages: 2);
        var (first, second) = (lease.TryRead()!, lease.TryRead()!);
        var page = first.Pages[0];

        lease.Close();
        Assert.Null(lease.TryRead());
        Assert.Equal(2 * PageBytes, Used);
        first.Dispose();
        first.Dispose(); // leaving twice is leaving once
        Assert.Equal(2 * PageBytes, Used);
        Assert.Equal(PageBytes, page.Span.Length);

        second.Dispose();
        Assert.Equal(0, Used);
        Assert.Throws<ObjectDisposedException>(() => page.AddReference());
    }

    [Fact, Trait("Invariant", "9")]
    public async Task LastReaderLeaves_OwnerHasNotClosed_KeepsThePages()
    {
        var lease = await ResidentAsync();
        lease.TryRead()!.Dispose();
        Assert.Equal((true, PageBytes), (lease.IsResident, Used));
    }

    [Fact, Trait("Invariant", "9")]
    public async Task Close_Twice_FreesOnce()
    {
        var (other, lease) = (await ResidentAsync(), await ResidentAsync());
        lease.Close();
        lease.Close();
        Assert.Equal(PageBytes, Used);
        Assert.Equal((false, true), (lease.IsResident, other.IsResident));
    }

    [Fact, Trait("Invariant", "9")]
    public async Task Deactivated_OwnerEnds_ClosesItsLeasesOnly()
    {
        var (owner, end) = Activation.Start();
        var (first, second, other) = (await ResidentAsync(owner: owner), await ResidentAsync(owner: owner), await ResidentAsync());
        var reader = second.TryRead();

        end.Deactivate();
        Assert.Equal((false, false, true), (first.IsResident, second.IsResident, other.IsResident));
        Assert.Equal(2 * PageBytes, Used);
        reader!.Dispose();
        Assert.Equal(PageBytes, Used);
    }

    [Fact, Trait("Invariant", "9")]
    public async Task Close_WhileItIsFilled_FreesWhatWasAttachedWhenTheFillerLeaves()
    {
        var lease = _registry.Open(Activation.Start().Context, "default", reclaimFirst: false);
        var filling = lease.BeginFill();
        lease.Attach(await NewPageAsync());
        lease.Close();
        lease.Attach(await NewPageAsync());
        lease.Complete();
        Assert.Null(lease.TryRead());
        filling.Dispose();
        Assert.Equal(0, Used);
    }

    [Fact, Trait("Invariant", "10")]
    public async Task AdmitAsync_BudgetIsFull_ReclaimsTheLeastRecentlyUsedAndNoMore()
    {
        var leases = new List<ContextLease>();
        for (var i = 0; i < 4; i++)
        {
            leases.Add(await ResidentAsync(pages: 2));
        }

        leases[0].TryRead()!.Dispose(); // now the most recently used
        using var admitted = await AdmitAsync(2 * PageBytes);
        Assert.Equal([true, false, true, true], leases.Select(static lease => lease.IsResident));
        Assert.Null(leases[1].TryRead());
        Assert.Equal(8 * PageBytes, Used);
    }

    [Fact, Trait("Invariant", "10")]
    public async Task AdmitAsync_BudgetIsFull_ReclaimsPrecomputedContextsFirst()
    {
        var old = await ResidentAsync(pages: 4);
        var precomputed = await ResidentAsync(pages: 2, reclaimFirst: true);
        var used = await ResidentAsync(pages: 2, reclaimFirst: true);
        used.TryRead()!.Dispose(); // asked: it is like any other from now on

        using var admitted = await AdmitAsync(2 * PageBytes);
        Assert.Equal((true, false, true), (old.IsResident, precomputed.IsResident, used.IsResident));
    }

    [Fact, Trait("Invariant", "10")]
    public async Task AdmitAsync_TheOldestIsRead_ReclaimsTheNextAndWaitsWhereAllAreRead()
    {
        var (first, second) = (await ResidentAsync(pages: 4), await ResidentAsync(pages: 4));
        var reader = first.TryRead()!;
        second.TryRead()!.Dispose();
        using (await AdmitAsync(4 * PageBytes))
        {
            Assert.Equal((true, false), (first.IsResident, second.IsResident));
            var waiting = _registry.Budget.AdmitAsync(PageBytes, batch: false, TestContext.Current.CancellationToken);
            Assert.False(waiting.IsCompleted);
            first.Close(); // closed, and still read
            Assert.False(waiting.IsCompleted);
            reader.Dispose();
            (await waiting.WaitAsync(TimeSpan.FromSeconds(10))).Dispose();
        }

        Assert.Equal(0, Used);
    }

    [Fact, Trait("Invariant", "10")]
    public async Task AdmitAsync_TheLastReaderOfAnOpenLeaseLeaves_ReclaimsIt()
    {
        var lease = await ResidentAsync(pages: 8);
        var reader = lease.TryRead()!;
        var waiting = _registry.Budget.AdmitAsync(PageBytes, batch: false, TestContext.Current.CancellationToken);
        Assert.False(waiting.IsCompleted);
        reader.Dispose();
        (await waiting.WaitAsync(TimeSpan.FromSeconds(10))).Dispose();
        Assert.False(lease.IsResident);
    }

    [Fact, Trait("Invariant", "10")]
    public async Task AdmitAsync_TheOldestSharesItsPages_CountsOnlyWhatBecameFree()
    {
        var shared = await NewPageAsync();
        for (var i = 0; i < 2; i++)
        {
            shared.AddReference();
        }

        var (first, second) = (Resident(shared), Resident(shared, await NewPageAsync()));
        var third = await ResidentAsync(pages: 6);
        using var reader = Resident(shared).TryRead()!;

        // The first gives nothing back and the second one page: the third has to go, too.
        using var admitted = await AdmitAsync(2 * PageBytes);
        Assert.Equal((false, false, false), (first.IsResident, second.IsResident, third.IsResident));
        Assert.Equal(3 * PageBytes, Used);
        Assert.Equal(PageBytes, reader.Pages[0].Span.Length);
    }

    [Fact, Trait("Invariant", "10")]
    public async Task AdmitAsync_SomeArePinned_ReclaimsOthersUntilTheirTimeIsOver()
    {
        var (pinned, other) = (await ResidentAsync(pages: 4), await ResidentAsync(pages: 4));
        pinned.Keep(_time.GetUtcNow() + Hour);
        using (await AdmitAsync(4 * PageBytes))
        {
            Assert.Equal((true, false), (pinned.IsResident, other.IsResident));
        }

        // What cannot be reclaimed is not waited for.
        await Assert.ThrowsAsync<InferenceException>(() => AdmitAsync(5 * PageBytes));
        _time.Advance(Hour);
        using var all = await AdmitAsync(8 * PageBytes);
        Assert.False(pinned.IsResident);
    }

    [Fact, Trait("Invariant", "10")]
    public async Task Keep_MoreThanTheShare_IsReclaimedLikeAnyOther()
    {
        var (first, second) = (await ResidentAsync(pages: 3), await ResidentAsync(pages: 2));
        first.Keep(DateTimeOffset.MaxValue);
        second.Keep(DateTimeOffset.MaxValue);
        Assert.Throws<GranaryException>(() => _registry.RequireKeepable("second", "default", second, 2 * PageBytes));
        _registry.RequireKeepable("first", "default", first, 4 * PageBytes);
        using (await AdmitAsync(5 * PageBytes))
        {
            Assert.Equal((true, false), (first.IsResident, second.IsResident));
        }

        first.Keep(null);
        using var all = await AdmitAsync(8 * PageBytes);
        Assert.False(first.IsResident);
    }

    [Fact, Trait("Invariant", "10")]
    public async Task Keep_SomebodyWaitsForMoreThanIsLeft_IsKeptAfterwards()
    {
        var (pinned, read) = (await ResidentAsync(pages: 2), await ResidentAsync(pages: 2));
        var reader = read.TryRead()!;
        var waiting = _registry.Budget.AdmitAsync(7 * PageBytes, batch: false, TestContext.Current.CancellationToken);
        pinned.Keep(DateTimeOffset.MaxValue); // gone already: its bytes were wanted
        reader.Dispose();
        (await waiting.WaitAsync(TimeSpan.FromSeconds(10))).Dispose();
        Assert.False(pinned.IsResident);

        var held = await AdmitAsync(4 * PageBytes);
        var late = await ResidentAsync(pages: 4);
        using var lateReader = late.TryRead()!;
        var next = _registry.Budget.AdmitAsync(5 * PageBytes, batch: false, TestContext.Current.CancellationToken);
        late.Keep(DateTimeOffset.MaxValue);
        lateReader.Dispose();
        held.Dispose();
        (await next.WaitAsync(TimeSpan.FromSeconds(10))).Dispose();
        Assert.False(late.IsResident);
    }

    private async Task<KvReservation> AdmitAsync(long bytes) =>
        await _registry.Budget.AdmitAsync(bytes, batch: false, TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(10));

    private async Task<KvPage> NewPageAsync()
    {
        using var reservation = await AdmitAsync(PageBytes);
        return KvPage.Allocate(Layout, 0, Layout.PageSize, reservation);
    }

    private async Task<ContextLease> ResidentAsync(int pages = 1, bool reclaimFirst = false, IGrainContext? owner = null)
    {
        var made = new KvPage[pages];
        for (var i = 0; i < pages; i++)
        {
            made[i] = await NewPageAsync();
        }

        return Fill(_registry.Open(owner ?? Activation.Start().Context, "default", reclaimFirst), made);
    }

    private ContextLease Resident(params KvPage[] pages) => Fill(_registry.Open(Activation.Start().Context, "default", reclaimFirst: false), pages);

    private static ContextLease Fill(ContextLease lease, KvPage[] pages)
    {
        using (lease.BeginFill())
        {
            foreach (var page in pages)
            {
                lease.Attach(page);
            }

            lease.Complete();
        }

        return lease;
    }
}
