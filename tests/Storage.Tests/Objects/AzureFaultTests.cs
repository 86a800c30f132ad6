using System.Diagnostics;
using Granary.Storage.Errors;
using Granary.Storage.Objects;
using Granary.Testing.Proxies;
using Granary.Testing.Servers;
using static Granary.Storage.Tests.Objects.Bytes;

namespace Granary.Storage.Tests.Objects;

/// <summary>What the Azure store makes of each single fault, Azurite behind a proxy that injects it.</summary>
public sealed class AzureFaultTests(AzuriteServer azurite) : IClassFixture<AzuriteServer>, IAsyncLifetime
{
    private readonly string _container = $"t{Guid.NewGuid():N}";
    private FaultyProxy? _proxy;
    private IObjectStore? _store;
    private IObjectStore? _other;

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    private FaultyProxy Proxy => _proxy ?? throw new InvalidOperationException("The proxy has not been started.");

    private IObjectStore Store => _store ?? throw new InvalidOperationException("The store has not been opened.");

    /// <summary>Gets another writer, whom no fault meets.</summary>
    private IObjectStore Other => _other ?? throw new InvalidOperationException("The store has not been opened.");

    public async ValueTask InitializeAsync()
    {
        _other = ObjectStores.Open($"{azurite.ConnectionString}Container={_container}", TimeProvider.System);
        _proxy = new FaultyProxy(azurite.Port);
        _store = ObjectStores.Open($"{AzuriteServer.ConnectionStringBy(_proxy.Port)}Container={_container}", TimeProvider.System);
        await _other.PutAsync("other", Text("makes the container"), Precondition.None, Stopping);
    }

    public async ValueTask DisposeAsync()
    {
        if (_proxy is not null)
        {
            await _proxy.DisposeAsync();
        }
    }

    [Theory, InlineData(true), InlineData(false), Trait("Invariant", "4")]
    public async Task PutAsync_ServerActedAndItsAnswerWasLost_IsOwnSuccess(bool isSilently)
    {
        var fault = isSilently ? ProxyFault.LostAnswer : ProxyFault.Refusal(500, acts: true);
        var first = Proxy.Inject(IsPut, fault, times: 2);
        var made = await Store.PutAsync("m.json", Text("1"), Precondition.Absent, Stopping);
        Assert.Equal(2, first.Count);
        Assert.Equal(made, (await Other.HeadAsync("m.json", Stopping))!.Version);

        var second = Proxy.Inject(IsPut, fault);
        var changed = await Store.PutAsync("m.json", Text("2"), Precondition.Unchanged(made), Stopping);
        Assert.Equal(1, second.Count);
        Assert.NotEqual(made, changed);
        Assert.Equal(changed, (await Other.HeadAsync("m.json", Stopping))!.Version);
        Assert.Equal("2", await Other.FindTextAsync("m.json"));
    }

    [Fact, Trait("Invariant", "4")]
    public async Task PutAsync_AnotherWonWhileItsAnswerWasLost_IsAConflict()
    {
        await Other.PutAsync("made.json", Text("theirs"), Precondition.Absent, Stopping);
        var lost = Proxy.Inject(IsPut, ProxyFault.LostAnswer, times: 2);
        await Assert.ThrowsAsync<ObjectConflictException>(() => Store.PutAsync("made.json", Text("ours"), Precondition.Absent, Stopping));
        Assert.Equal("theirs", await Other.FindTextAsync("made.json"));

        var read = (await Store.FindAsync("made.json", Stopping))!.Version;
        await Other.PutAsync("made.json", Text("theirs again"), Precondition.Unchanged(read), Stopping);
        await Assert.ThrowsAsync<ObjectConflictException>(() => Store.PutAsync("made.json", Text("ours"), Precondition.Unchanged(read), Stopping));
        Assert.Equal("theirs again", await Other.FindTextAsync("made.json"));
        Assert.Equal(2, lost.Count);
    }

    [Fact, Trait("Invariant", "4")]
    public async Task PutAsync_OwnWriteWasReplacedBeforeItsRetry_IsAConflict()
    {
        var read = await Other.PutAsync("m.json", Text("0"), Precondition.Absent, Stopping);
        var lost = Proxy.Inject(IsPut, ProxyFault.LostAnswer);
        Proxy.Inject(IsPut, ProxyFault.Overtaken(async () =>
            await Other.PutAsync("m.json", Text("theirs"), Precondition.Unchanged((await Other.HeadAsync("m.json", Stopping))!.Version), Stopping)));

        await Assert.ThrowsAsync<ObjectConflictException>(() => Store.PutAsync("m.json", Text("ours"), Precondition.Unchanged(read), Stopping));

        Assert.Equal(1, lost.Count);
        Assert.Equal("theirs", await Other.FindTextAsync("m.json"));
    }

    [Theory, Trait("Invariant", "4")]
    [InlineData("reset in the middle"), InlineData("lost answer"), InlineData("503"), InlineData("429")]
    public async Task PutAsync_BlockInTheMiddleFails_WritesTheObjectWhole(string what)
    {
        var fault = what switch
        {
            "reset in the middle" => ProxyFault.ResetInRequest(2 << 20),
            "lost answer" => ProxyFault.LostAnswer,
            "503" => ProxyFault.Refusal(503),
            _ => ProxyFault.Refusal(429, TimeSpan.FromSeconds(1)),
        };
        var middle = Proxy.Inject(new SecondBlock().Is, fault);
        var lost = Proxy.Inject(static request => request.IsBlockList, ProxyFault.LostAnswer);
        var content = Random(5, (10 << 20) + 17);

        var version = await Store.PutAsync("big.bin", new(content), Precondition.Absent, Stopping);

        Assert.Equal((1, 1), (middle.Count, lost.Count));
        Assert.Equal(4, Proxy.Requests.Count(static request => request.IsBlock)); // three, and one of them again
        Assert.Equal(version, (await Other.HeadAsync("big.bin", Stopping))!.Version);
        Assert.Equal(content, (await Other.FindAsync("big.bin", Stopping))!.Content);
    }

    [Fact]
    public async Task PutAsync_ObjectIsBig_SendsBlocksInParallel()
    {
        var gathering = new Gathering(4);
        var blocks = Proxy.Inject(static request => request.IsBlock, ProxyFault.Overtaken(gathering.JoinAsync), times: 4);

        await Store.PutAsync("big.bin", new(Random(6, 16 << 20)), Precondition.Absent, Stopping);

        Assert.Equal(4, blocks.Count);
        Assert.True(gathering.IsComplete, "The four blocks were not on their way at the same time.");
    }

    [Theory, InlineData(0), InlineData(8 << 20)]
    public async Task ReadAsync_ConnectionIsResetMidway_GivesTheBytesExactly(int range)
    {
        var content = Random(7, 20 << 20);
        var version = await Other.PutAsync("big.bin", new(content), Precondition.Absent, Stopping);
        var cut = Proxy.Inject(request => request.RangeStart == 3 + range, ProxyFault.ResetInAnswer(1_234_567));
        var again = Proxy.Inject(request => request.RangeStart >= 3 + range && request.RangeStart < 3 + range + (8 << 20), ProxyFault.Refusal(503));
        var destination = new byte[content.Length - 10];

        Assert.Equal(version, await Store.ReadAsync("big.bin", 3, destination, Stopping));

        Assert.True(content.AsSpan(3, destination.Length).SequenceEqual(destination));
        Assert.Equal((1, 1), (cut.Count, again.Count));
    }

    [Fact]
    public async Task ReadAsync_RangeIsLong_ReadsPartsInParallel()
    {
        var content = Random(8, 20 << 20);
        await Other.PutAsync("big.bin", new(content), Precondition.Absent, Stopping);
        var gathering = new Gathering(2);
        var parts = Proxy.Inject(static request => request.RangeStart is 8 << 20 or 16 << 20, ProxyFault.Overtaken(gathering.JoinAsync), times: 2);
        var destination = new byte[content.Length];

        await Store.ReadAsync("big.bin", 0, destination, Stopping);

        Assert.True(content.AsSpan().SequenceEqual(destination));
        Assert.Equal(2, parts.Count);
        Assert.True(gathering.IsComplete, "The parts behind the first were not on their way at the same time.");
    }

    [Theory, InlineData(false), InlineData(true), Trait("Invariant", "1")]
    public async Task ReadAsync_ObjectIsReplacedMidway_GivesTheBytesOfOneVersion(bool isFind)
    {
        var (before, after) = (Random(9, 12 << 20), Random(10, 12 << 20));
        await Other.PutAsync("big.bin", new(before), Precondition.Absent, Stopping);
        Proxy.Inject(static request => request.Method == "GET", ProxyFault.ResetInAnswer(1_000_000));
        ObjectVersion? replaced = null;
        Proxy.Inject(static request => request.Method == "GET", ProxyFault.Overtaken(async () => replaced = await Other.PutAsync("big.bin", new(after), Precondition.None, Stopping)));
        var destination = new byte[before.Length];

        var read = isFind ? await FindAsync() : await Store.ReadAsync("big.bin", 0, destination, Stopping);

        Assert.Equal(replaced, read);
        Assert.True(after.AsSpan().SequenceEqual(destination));

        async Task<ObjectVersion?> FindAsync()
        {
            var found = await Store.FindAsync("big.bin", Stopping);
            found!.Content.CopyTo(destination, 0);
            return found.Version;
        }
    }

    [Fact]
    public async Task FindAsync_RefusalIsResetMidway_IsAbsentAllTheSame()
    {
        var cut = Proxy.Inject(static request => request.Method == "GET", ProxyFault.ResetInAnswer(1));

        Assert.Null(await Store.FindAsync("nothing", Stopping));
        Assert.Equal(1, cut.Count);
    }

    [Fact]
    public async Task DeleteAsync_AnswerWasLost_SaysThatItIsDeleted()
    {
        var read = await Other.PutAsync("d", Text("1"), Precondition.Absent, Stopping);
        var lost = Proxy.Inject(static request => request.Method == "DELETE", ProxyFault.LostAnswer, times: 2);

        Assert.True(await Store.DeleteAsync("d", Precondition.Unchanged(read), Stopping));
        Assert.Null(await Other.HeadAsync("d", Stopping));
        await Other.PutAsync("d", Text("2"), Precondition.Absent, Stopping);
        Assert.True(await Store.DeleteAsync("d", Precondition.None, Stopping));
        Assert.Equal(2, lost.Count);
        Assert.False(await Store.DeleteAsync("d", Precondition.None, Stopping));
    }

    [Fact, Trait("Invariant", "4")]
    public async Task DeleteAsync_AnotherHasWrittenMeanwhile_IsAConflict()
    {
        var read = await Other.PutAsync("d", Text("1"), Precondition.Absent, Stopping);
        await Other.PutAsync("d", Text("2"), Precondition.Unchanged(read), Stopping);
        Proxy.Inject(static request => request.Method is "DELETE" or "HEAD", ProxyFault.LostAnswer);

        await Assert.ThrowsAsync<ObjectConflictException>(() => Store.DeleteAsync("d", Precondition.Unchanged(read), Stopping));

        Assert.Equal("2", await Other.FindTextAsync("d"));
    }

    [Fact]
    public async Task TouchAsync_AnswerWasLost_HasTouched()
    {
        var read = await Other.PutAsync("c", Text("1"), Precondition.Absent, Stopping);
        var lost = Proxy.Inject(IsPut, ProxyFault.LostAnswer);

        Assert.True(await Store.TouchAsync("c", Stopping));

        Assert.Equal(1, lost.Count);
        Assert.NotEqual(read, (await Other.HeadAsync("c", Stopping))!.Version);
        await Assert.ThrowsAsync<ObjectConflictException>(() => Other.DeleteAsync("c", Precondition.Unchanged(read), Stopping));
    }

    [Theory, InlineData(429), InlineData(500), InlineData(503)]
    public async Task AnyMethod_EveryTryIsRefused_SaysSoAfterFour(int status)
    {
        var refused = Proxy.Inject(static _ => true, ProxyFault.Refusal(status), times: int.MaxValue);

        var took = await TimeAsync(async () =>
        {
            var fault = await Assert.ThrowsAsync<StorageException>(() => Store.PutAsync("a", Text("1"), Precondition.None, Stopping));
            Assert.Equal("StoreUnavailable", fault.Code);
            Assert.Contains($"127.0.0.1:{Proxy.Port}", fault.Message, StringComparison.Ordinal);
            Assert.Contains($"{status}", fault.Message, StringComparison.Ordinal);
            Assert.NotEmpty(fault.Remedy);
        });

        Assert.Equal(4, refused.Count);
        Assert.InRange(took, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task AnyMethod_ServerAsksToWaitABit_WaitsThatLong()
    {
        var busy = Proxy.Inject(static _ => true, ProxyFault.Refusal(503, TimeSpan.FromSeconds(2)));

        var took = await TimeAsync(() => Store.PutAsync("a", Text("1"), Precondition.None, Stopping));

        Assert.Equal(1, busy.Count);
        Assert.InRange(took, TimeSpan.FromSeconds(1.9), TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task AnyMethod_ServerAsksToWaitForAnHour_SaysSoAtOnce()
    {
        var busy = Proxy.Inject(static _ => true, ProxyFault.Refusal(503, TimeSpan.FromHours(1)), times: int.MaxValue);

        var took = await TimeAsync(async () =>
        {
            var fault = await Assert.ThrowsAsync<StorageException>(() => Store.HeadAsync("a", Stopping));
            Assert.Equal("StoreUnavailable", fault.Code);
            Assert.Contains("503", fault.Message, StringComparison.Ordinal);
        });

        Assert.Equal(1, busy.Count);
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task AnyMethod_OneTryMeetsSilence_IsTriedAgain()
    {
        await Other.PutAsync("a", Text("1"), Precondition.None, Stopping);
        var silent = Proxy.Inject(static _ => true, ProxyFault.Silence);

        var took = await TimeAsync(async () => Assert.Equal("1", await Store.FindTextAsync("a")));

        Assert.Equal(1, silent.Count);
        Assert.InRange(took, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(19)); // 10 s, and a pause
    }

    [Fact]
    public async Task AnyMethod_CallerLeavesInSilence_EndsAtOnce()
    {
        Proxy.BeginOutage(isSilent: true);
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        leaving.CancelAfter(TimeSpan.FromSeconds(0.3));

        var took = await TimeAsync(() => Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store.FindAsync("a", leaving.Token)));

        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task AnyMethod_OutageIsOver_WorksAtOnce()
    {
        await Store.PutAsync("a", Text("1"), Precondition.None, Stopping);
        Proxy.BeginOutage(isSilent: false);
        var fault = await Assert.ThrowsAsync<StorageException>(() => Store.FindAsync("a", Stopping));
        Assert.Equal("StoreUnavailable", fault.Code);

        Proxy.EndOutage();

        Assert.Equal("1", await Store.FindTextAsync("a"));
    }

    private static bool IsPut(ProxiedRequest request) => request.Method == "PUT";

    private static async Task<TimeSpan> TimeAsync(Func<Task> act)
    {
        var started = Stopwatch.GetTimestamp();
        await act();
        return Stopwatch.GetElapsedTime(started);
    }

    private sealed class SecondBlock
    {
        private int _blocks;

        public bool Is(ProxiedRequest request) => request.IsBlock && ++_blocks == 2;
    }

    /// <summary>Lets nobody go on before all are there, so that requests in sequence are told from those in parallel without a clock.</summary>
    private sealed class Gathering(int count)
    {
        private readonly TaskCompletionSource _complete = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _there;

        public bool IsComplete => _complete.Task.IsCompleted;

        public async Task JoinAsync()
        {
            if (Interlocked.Increment(ref _there) == count)
            {
                _complete.SetResult();
            }

            await Task.WhenAny(_complete.Task, Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System)); // in sequence nobody would ever come: go on, and fail by name
        }
    }
}
