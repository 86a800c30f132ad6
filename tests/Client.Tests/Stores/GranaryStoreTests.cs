using Granary.Client.Calls;
using Granary.Client.Connection;
using Granary.Client.Stores;
using Granary.Client.Tests.Calls;
using Granary.Errors;
using Granary.Stores;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Client.Tests.Stores;

/// <summary>A check or a sweep whose silo dies is begun anew.</summary>
public sealed class GranaryStoreTests
{
    private static readonly StoreCheckResult Checked = new(1, 10, 100, 0, 0, []);
    private static readonly StoreSweepResult Swept = new() { Contexts = 1, Expired = 0, Tombstones = 0, Chunks = 9, ChunkBytes = 90, UnreferencedChunks = 0, UnreferencedBytes = 0, DeletedChunks = 0, DeletedBytes = 0, Unreadable = [] };
    private readonly FakeTimeProvider _time = new();
    private readonly FakeSweeps _grain = new();

    private GranaryStore Store =>
        new(OneGrain.FactoryOf(_grain), new GrainCalls(_time, TimeSpan.FromSeconds(30), new GatewayLosses(_time), NullLogger.Instance), "default");

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task CheckAsync_SiloDies_IsBegunAnewAndItsProgressGoesForward(bool repair)
    {
        _grain.Failures = [5];
        var told = await _time.ReadAllAsync(Store.CheckAsync(repair, CancellationToken.None));

        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10], told.Select(static status => status.Done));
        Assert.Equal((Checked, 1), (told[^1].Result, told.Count(static status => status.Result is not null)));
        Assert.Equal([repair, repair], _grain.Repairs);
    }

    [Fact]
    public async Task SweepAsync_SilosDie_IsBegunAnewAndItsProgressGoesForward()
    {
        _grain.Failures = [3, 1, 7];
        var request = new StoreSweepRequest(DryRun: false, TimeSpan.FromHours(2));
        var told = await _time.ReadAllAsync(Store.SweepAsync(request, CancellationToken.None));

        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10], told.Select(static status => status.Done));
        Assert.Same(Swept, told[^1].Result);
        Assert.Equal([request, request, request, request], _grain.Requests);
    }

    [Fact]
    public async Task CheckAsync_NobodyComesBack_IsUnavailableInTheEnd()
    {
        _grain.Failures = [.. Enumerable.Repeat(0, 1000)];
        var began = _time.GetTimestamp();
        var error = await Assert.ThrowsAsync<GranaryException>(() => _time.ReadAllAsync(Store.CheckAsync(repair: false, CancellationToken.None)));

        Assert.Equal(ErrorCodes.Unavailable, error.Code);
        Assert.InRange(_time.GetElapsedTime(began).TotalSeconds, 30, 33);
    }

    // Each opening breaks behind so many elements; those beyond go to their end.
    private sealed class FakeSweeps : ISweepGrain
    {
        private int _openings;

        public int[] Failures { get; set; } = [];

        public List<bool> Repairs { get; } = [];

        public List<StoreSweepRequest> Requests { get; } = [];

        public Task ScheduleAsync() => throw new NotSupportedException();

        public IAsyncEnumerable<StoreCheckStatus> CheckAsync(bool repair, CancellationToken cancellationToken)
        {
            Repairs.Add(repair);
            return RunAsync(static (done, ended) => new StoreCheckStatus(done, 10, ended ? Checked : null));
        }

        public IAsyncEnumerable<StoreSweepStatus> SweepAsync(StoreSweepRequest request, CancellationToken cancellationToken)
        {
            Requests.Add(request);
            return RunAsync(static (done, ended) => new StoreSweepStatus(done, 10, ended ? Swept : null));
        }

        private async IAsyncEnumerable<T> RunAsync<T>(Func<int, bool, T> status)
        {
            var most = _openings < Failures.Length ? Failures[_openings] : 10;
            _openings++;
            for (var done = 1; done <= most; done++)
            {
                await Task.Yield();
                yield return status(done, false);
            }

            yield return most == 10 ? status(10, true) : throw new EnumerationAbortedException("gone");
        }
    }
}
