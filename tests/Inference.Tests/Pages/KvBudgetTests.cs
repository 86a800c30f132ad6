using CsCheck;
using Granary.Inference.Errors;
using Granary.Inference.Pages;

namespace Granary.Inference.Tests.Pages;

[Trait("Invariant", "10")]
public sealed class KvBudgetTests
{
    [Fact]
    public async Task Admit_MoreThanTheBudget_FailsAtOnceWithFiguresAndRemedy()
    {
        var budget = new KvBudget(100);
        var refused = await Assert.ThrowsAsync<InferenceException>(() => budget.AdmitAsync(101, false, default));

        Assert.Equal("KvBudgetExceeded", refused.Code);
        Assert.Contains("101", refused.Message, StringComparison.Ordinal);
        Assert.Contains("100", refused.Message, StringComparison.Ordinal);
        Assert.Contains("Granary:Residency:BudgetBytes", refused.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SetAside_SomeWait_WhoCannotBeAdmittedAnyMoreIsRefusedAndTheNextIsNot()
    {
        var budget = new KvBudget(100);
        var held = await budget.AdmitAsync(60, false, default);
        var tooMuch = budget.AdmitAsync(80, false, default);
        var next = budget.AdmitAsync(10, true, default);

        budget.SetAside(25);

        Assert.Equal("KvBudgetExceeded", (await Assert.ThrowsAsync<InferenceException>(() => tooMuch)).Code);
        (await next).Dispose();
        held.Dispose();
        Assert.Equal((75, 0, 0), (budget.TotalBytes, budget.UsedBytes, budget.Waiters));
        Assert.Throws<InferenceException>(() => budget.SetAside(76));
        await Assert.ThrowsAsync<InferenceException>(() => budget.AdmitAsync(76, false, default));
        Assert.Equal(75, budget.TotalBytes);
    }

    [Fact]
    public async Task Admit_Full_WaitsInOrderInteractiveBeforeBatch()
    {
        var budget = new KvBudget(100);
        var held = await budget.AdmitAsync(100, false, default);
        var batch = budget.AdmitAsync(50, true, default);
        var first = budget.AdmitAsync(80, false, default);
        var second = budget.AdmitAsync(10, false, default); // would fit beside the batch one, and still waits its turn
        Assert.False(batch.IsCompleted || first.IsCompleted || second.IsCompleted);

        held.Dispose();
        (await first).Dispose();
        (await second).Dispose();
        (await batch).Dispose();
        Assert.Equal(0, budget.UsedBytes);
    }

    [Fact]
    public async Task Admit_HeadDoesNotFit_LaterSmallOneDoesNotOvertake()
    {
        var budget = new KvBudget(100);
        var held = await budget.AdmitAsync(60, false, default);
        var large = budget.AdmitAsync(80, false, default);
        var small = budget.AdmitAsync(10, false, default);
        Assert.False(small.IsCompleted);

        held.Dispose();
        (await large).Dispose();
        (await small).Dispose();
    }

    [Fact]
    public async Task TryAdmit_FreeOrFullOrAwaited_TakesOnlyWhatNobodyHasToWaitFor()
    {
        var budget = new KvBudget(100, _ => throw new InvalidOperationException("Something was reclaimed."));
        var held = budget.TryAdmit(60);
        Assert.Equal((60, 60), (held!.Bytes, budget.UsedBytes));
        Assert.Null(budget.TryAdmit(41));
        budget.TryAdmit(40)!.Dispose();
        Assert.Equal(60, budget.UsedBytes);

        budget.Reclaim = _ => 0;
        var large = budget.AdmitAsync(80, false, default);
        Assert.Null(budget.TryAdmit(10)); // would fit beside it
        held.Dispose();
        (await large).Dispose();
        Assert.Equal(0, budget.UsedBytes);
    }

    [Fact]
    public async Task Admit_CancelledWhileWaiting_LeavesAndLetsTheNextIn()
    {
        var budget = new KvBudget(100);
        using var held = await budget.AdmitAsync(60, false, default);
        using var source = new CancellationTokenSource();
        var large = budget.AdmitAsync(80, false, source.Token);
        var small = budget.AdmitAsync(10, false, default);
        await source.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => large);
        (await small).Dispose();
        Assert.Equal(60, budget.UsedBytes);
    }

    [Fact]
    public async Task Admit_Full_ReclaimsWhatIsMissing()
    {
        var budget = new KvBudget(100);
        var idle = new Queue<KvReservation>();
        idle.Enqueue(await budget.AdmitAsync(50, false, default));
        idle.Enqueue(await budget.AdmitAsync(50, false, default));
        var asked = new List<long>();
        budget.Reclaim = missing =>
        {
            asked.Add(missing);
            if (!idle.TryDequeue(out var victim))
            {
                return 0;
            }

            var bytes = victim.Bytes;
            victim.Dispose(); // returns bytes while reclaiming: no deadlock, no recursion
            return bytes;
        };

        using var admitted = await budget.AdmitAsync(70, false, default);
        Assert.Equal([70, 20], asked);
        Assert.Equal(70, budget.UsedBytes);
    }

    [Fact]
    public async Task Take_MovesBytesToAnOwner_DisposeReturnsTheRest()
    {
        var budget = new KvBudget(100);
        var reservation = await budget.AdmitAsync(80, false, default);
        var owner = reservation.Take(30);
        reservation.Dispose();
        reservation.Dispose();
        Assert.Equal(30, budget.UsedBytes);
        Assert.Throws<InvalidOperationException>(() => owner.Take(31));
        owner.Dispose();
        Assert.Equal(0, budget.UsedBytes);
    }

    [Fact]
    public void Admit_AnyInterleaving_NeverExceedsTheBudgetAndEndsEmpty() => Gen.Int[1, 60].Array[1, 24].Sample(
        sizes =>
        {
            var budget = new KvBudget(64);
            Task.WhenAll(sizes.Select((size, index) => Task.Run(async () =>
            {
                using var reservation = await budget.AdmitAsync(size, index % 2 == 0, default);
                Assert.InRange(budget.UsedBytes, size, 64);
                await Task.Yield();
            }))).GetAwaiter().GetResult();
            Assert.Equal(0, budget.UsedBytes);
        },
        iter: 200,
        threads: 1);

    [Fact]
    public async Task AdmitAsync_MoreThanWhatIsKeptLeaves_IsRefusedAtOnce()
    {
        var kept = 60L;
        var budget = new KvBudget(100) { Kept = () => kept };
        await Assert.ThrowsAsync<InferenceException>(() => budget.AdmitAsync(41, batch: false, CancellationToken.None));
        (await budget.AdmitAsync(40, batch: false, CancellationToken.None)).Dispose();
        kept = 0;
        using var all = await budget.AdmitAsync(100, batch: false, CancellationToken.None);
        var waiting = budget.AdmitAsync(30, batch: true, CancellationToken.None);
        Assert.Equal((true, false), (budget.FitsAllWaiters(70), budget.FitsAllWaiters(71)));
        all.Dispose();
        (await waiting).Dispose();
        Assert.Equal(0, budget.UsedBytes);
    }

    [Fact]
    public async Task JoinedBy_PartsOfTwoBudgets_GoBackToBoth()
    {
        var (device, tenant) = (new KvBudget(100), new KvBudget(50));
        var both = (await device.AdmitAsync(40, batch: false, CancellationToken.None)).JoinedBy(await tenant.AdmitAsync(40, batch: false, CancellationToken.None));
        var part = both.Take(15);
        both.Dispose();
        Assert.Equal((15L, 15L), (device.UsedBytes, tenant.UsedBytes));
        part.Dispose();
        part.Dispose();
        Assert.Equal((0L, 0L), (device.UsedBytes, tenant.UsedBytes));
        using var other = await tenant.AdmitAsync(1, batch: false, CancellationToken.None);
        using var more = await device.AdmitAsync(2, batch: false, CancellationToken.None);
        Assert.Throws<ArgumentException>(() => more.JoinedBy(other));
    }
}
