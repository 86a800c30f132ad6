using Granary.Client.Calls;
using Granary.Client.Connection;
using Granary.Client.Datasets;
using Granary.Client.Tests.Calls;
using Granary.Datasets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Client.Tests.Datasets;

/// <summary>A precompute whose stream breaks goes on with the run that it watched.</summary>
public sealed class PrecomputeTests
{
    private static readonly Guid Theirs = Guid.NewGuid();
    private readonly FakeTimeProvider _time = new();
    private readonly FakeDataset _grain = new();

    [Fact]
    public async Task PrecomputeAsync_ItsRunBreaksOff_IsJoinedAgain()
    {
        _grain.Openings = [run => Breaking(At(1, 0, run)), run => Told(At(2, 0, run) with { Ended = true })];

        Assert.Equal([1, 2], (await PrecomputeAsync()).Select(static status => status.Done));
        Assert.Equal(2, _grain.Runs.Count);
        Assert.Single(_grain.Runs.Distinct());
    }

    [Fact]
    public async Task PrecomputeAsync_TheRunThatItJoinedBreaksOff_IsJoinedAgain()
    {
        _grain.Openings = [_ => Breaking(At(1, 0, Theirs)), _ => Breaking(At(1, 0, Theirs)), _ => Told(At(2, 0, Theirs) with { Ended = true })];

        Assert.Equal([Theirs, Theirs], (await PrecomputeAsync()).Select(static status => status.Run));
        Assert.NotEqual(Theirs, _grain.Runs[0]);
        Assert.Equal([Theirs, Theirs], _grain.Runs.Skip(1));
    }

    [Fact]
    public async Task PrecomputeAsync_TheRunIsFollowedByAnother_TheOneThatIsWatchedIsJoined()
    {
        var next = Guid.NewGuid();
        _grain.Openings = [run => Breaking(At(2, 0, run)), _ => Breaking(At(1, 0, next)), _ => Told(At(2, 0, next) with { Ended = true })];

        Assert.Equal([2, 2], (await PrecomputeAsync()).Select(static status => status.Done));
        Assert.Equal(next, _grain.Runs[2]); // although nothing of it was told before
    }

    [Fact]
    public async Task PrecomputeAsync_SiloSaysNoRun_ItsOwnIsJoinedAgain()
    {
        _grain.Openings = [_ => Breaking(At(1, 0, null)), _ => Told(At(2, 0, null) with { Ended = true })];
        await PrecomputeAsync();

        Assert.Single(_grain.Runs.Distinct());
    }

    [Fact]
    public async Task PrecomputeAsync_AShardGoesBackToItsCheckpoint_ProgressGoesForwardOnly()
    {
        _grain.Openings =
        [
            run => Told(At(20, 0, run), At(16, 0, run), At(16, 4, run), At(17, 4, run), At(16, 0, run), At(18, 5, run), At(18, 5, run) with { Ended = true }),
        ];

        Assert.Equal([20, 21, 23, 23], (await PrecomputeAsync()).Select(static status => status.Done + status.Failed + status.Skipped));
    }

    private Task<List<DatasetStatus>> PrecomputeAsync()
    {
        var calls = new GrainCalls(_time, TimeSpan.FromSeconds(30), new GatewayLosses(_time), NullLogger.Instance);
        var dataset = new GranaryDataset(OneGrain.FactoryOf(_grain), calls, new DatasetId("default", "corn"));
        return _time.ReadAllAsync(dataset.PrecomputeAsync(DatasetSource.Of([new DatasetItem("a", "Corn.", [])]), "m", null, CancellationToken.None));
    }

    private static DatasetStatus At(int done, int skipped, Guid? run) => new()
    {
        Dataset = "corn",
        Model = "m",
        Items = 30,
        Done = done,
        Failed = 0,
        Skipped = skipped,
        PrefilledTokens = 0,
        StoredBytes = 0,
        Seconds = 0,
        Run = run,
    };

    private static async IAsyncEnumerable<DatasetStatus> Told(params DatasetStatus[] statuses)
    {
        foreach (var status in statuses)
        {
            await Task.Yield();
            yield return status;
        }
    }

    private static async IAsyncEnumerable<DatasetStatus> Breaking(DatasetStatus status)
    {
        await Task.Yield();
        yield return status;
        throw new EnumerationAbortedException("gone");
    }

    private sealed class FakeDataset : IDatasetGrain
    {
        public Func<Guid?, IAsyncEnumerable<DatasetStatus>>[] Openings { get; set; } = [];

        public List<Guid?> Runs { get; } = [];

        public Task<int[]> FindMissingShardsAsync(string digest, int shards) => Task.FromResult<int[]>([]);

        public IAsyncEnumerable<DatasetStatus> PrecomputeAsync(PrecomputeRequest request, CancellationToken cancellationToken)
        {
            Runs.Add(request.Run);
            return Openings[Runs.Count - 1](request.Run);
        }

        public Task PutItemsAsync(PutItemsRequest request) => throw new NotSupportedException();

        public Task<DatasetStatus> GetStatusAsync() => throw new NotSupportedException();

        public Task<DatasetContent> GetContentAsync() => throw new NotSupportedException();

        public IAsyncEnumerable<DatasetAnswer> AskAsync(DatasetAskRequest request, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
