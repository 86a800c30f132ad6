using System.Runtime.CompilerServices;
using Granary.Datasets;
using Granary.Errors;
using Granary.Grains.Draining;
using Granary.Grains.Errors;
using Granary.Grains.Persistence;
using Granary.Grains.Placement;
using Granary.Grains.Transitions;
using Granary.Naming;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;

namespace Granary.Grains.Datasets;

/// <summary>Coordinates a data set: it keeps the run, its shards do the work (DESIGN §5).</summary>
[AvoidDraining, Reentrant]
internal sealed partial class DatasetGrain(
    IGrainContext activation,
    SiloDrain drain,
    [PersistentState("dataset", BlobGrainStorage.Name)] IPersistentState<DatasetState> state,
    DatasetItemStore items,
    TimeProvider time,
    ILogger<DatasetGrain> logger) : Grain, IDatasetGrain
{
    private const int MostActiveShards = 4;
    private const int MostFailuresKept = 100;
    private static readonly TimeSpan KeptAlive = TimeSpan.FromHours(1);

    private readonly ActivationWork _work = drain.Register(activation);
    private readonly CancellationTokenSource _stopping = new();
    private SharedTransition<DatasetStatus, DatasetStatus>? _run;
    private long _started;

    private DatasetContent Content => new(state.State.Digest, state.State.Model);

    private DatasetId Id => DatasetId.Parse(this.GetPrimaryKeyString());

    /// <inheritdoc/>
    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) => _stopping.CancelAsync();

    /// <inheritdoc/>
    public async Task<int[]> FindMissingShardsAsync(string digest, int shards) =>
        await ErrorEdge.GuardAsync(items.FindMissingAsync(Id, CheckDigest(digest), shards, CancellationToken.None));

    /// <inheritdoc/>
    public async Task PutItemsAsync(PutItemsRequest request)
    {
        CheckDigest(request.Digest);
        await ErrorEdge.GuardAsync(PutAsync());

        async Task<bool> PutAsync()
        {
            await items.PutAsync(Id, request, CancellationToken.None);
            return true;
        }
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<DatasetStatus> PrecomputeAsync(PrecomputeRequest request, CancellationToken cancellationToken) =>
        _work.ServeAsync(PrecomputeStreamAsync(request, cancellationToken));

    /// <inheritdoc/>
    public async Task<DatasetStatus> GetStatusAsync()
    {
        RequireRun();
        if (!state.State.Status!.Ended && _run is null or { IsCompleted: true })
        {
            // A silo died under the run, or under a shard. The shards know how far they are.
            _ = StartRun();
        }

        await Task.CompletedTask;
        return state.State.Status!;
    }

    /// <inheritdoc/>
    public Task<DatasetContent> GetContentAsync()
    {
        RequireRun();
        return Task.FromResult(Content);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<DatasetAnswer> AskAsync(DatasetAskRequest request, CancellationToken cancellationToken) =>
        _work.ServeAsync(AskStreamAsync(request, cancellationToken));

    private async IAsyncEnumerable<DatasetAnswer> AskStreamAsync(DatasetAskRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        RequireRun();
        if (request.Content is { } wanted && wanted != Content)
        {
            throw new GranaryException(ErrorCodes.ContextConflict, $"Data set '{Id}' was precomputed with other items, or another model, since it was asked.", "Ask it again from the start.");
        }

        var skip = request.Skip >= 0 ? request.Skip : throw new GranaryException(ErrorCodes.InvalidArgument, $"{request.Skip} questions are to be left out.", "Give 0 or more.");
        for (var shard = 0; shard < state.State.Shards; shard++)
        {
            if (skip > 0 && await ShardOf(shard).CountQuestionsAsync(state.State.Digest) is var questions && skip >= questions)
            {
                skip -= questions;
                continue;
            }

            await foreach (var answer in ShardOf(shard).AskAsync(state.State.Model, state.State.Digest, request with { Skip = skip }, cancellationToken).WithCancellation(cancellationToken))
            {
                yield return answer;
            }

            skip = 0;
        }
    }

    private async IAsyncEnumerable<DatasetStatus> PrecomputeStreamAsync(PrecomputeRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Names.CheckModel(request.Model);
        CheckDigest(request.Digest);
        var isThisRun = state.State.Status is not null && request.Run == state.State.Run;
        if (isThisRun && state.State.Status is { Ended: true } ended)
        {
            yield return ended;
            yield break;
        }

        if (_run is { IsCompleted: false })
        {
            if (new DatasetContent(request.Digest, request.Model) != Content)
            {
                throw new GranaryException(
                    ErrorCodes.ContextConflict, $"Data set '{Id}' is being precomputed with other items or another model.", "Wait for that run, or give this data set another --name.");
            }
        }
        else if (isThisRun)
        {
            StartRun(); // the coordinator's silo has left, or died
        }
        else
        {
            state.State = new DatasetState
            {
                Run = request.Run ?? Guid.NewGuid(),
                Digest = request.Digest,
                Model = request.Model,
                ModelFolder = request.ModelFolder,
                Items = request.Items,
                Unreadable = request.Unreadable,
            };
            state.State.Status = Sum([], ended: false);
            StartRun();
        }

        await foreach (var status in _run!.WatchAsync(cancellationToken))
        {
            yield return status;
        }
    }

    private SharedTransition<DatasetStatus, DatasetStatus> StartRun()
    {
        _started = time.GetTimestamp();
        return _run = SharedTransition<DatasetStatus, DatasetStatus>.Start(RunAsync, _stopping.Token, latestOnly: true);
    }

    private async Task<DatasetStatus> RunAsync(SharedTransition<DatasetStatus, DatasetStatus> transition, CancellationToken stopping)
    {
        transition.OutliveCallers();
        await state.WriteStateAsync(CancellationToken.None);
        transition.Report(state.State.Status!); // who joins learns at once which run it is
        Log.Started(logger, Id, state.State.Items, state.State.Model);
        var statuses = new DatasetStatus?[state.State.Shards];
        using var active = new SemaphoreSlim(MostActiveShards);
        await Task.WhenAll(Enumerable.Range(0, statuses.Length).Select(RunShardAsync));
        var status = Sum(statuses, ended: true);
        state.State.Status = status;
        await state.WriteStateAsync(CancellationToken.None);
        transition.Report(status);
        Log.Ended(logger, Id, status.Done, status.Skipped, status.Failed, status.Seconds);
        return status;

        async Task RunShardAsync(int shard)
        {
            await active.WaitAsync(stopping);
            try
            {
                await FollowShardAsync(shard);
            }
            finally
            {
                active.Release();
            }
        }

        // A shard whose silo leaves or dies goes on elsewhere, from its last checkpoint.
        async Task FollowShardAsync(int shard)
        {
            var request = new ShardRequest(state.State.Run, state.State.Digest, state.State.Model);
            var furthest = -1;
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    await foreach (var progress in ShardOf(shard).PrecomputeAsync(request, stopping).WithCancellation(stopping))
                    {
                        DelayDeactivation(KeptAlive); // a run is activity, whoever watches it
                        statuses[shard] = progress;
                        state.State.Status = Sum(statuses, ended: false);
                        transition.Report(state.State.Status);
                        if (progress.Done + progress.Failed + progress.Skipped is var finished && finished > furthest)
                        {
                            (furthest, attempt) = (finished, 1); // each attempt tells where it stands: only an item more is a sign that it goes on
                        }
                    }

                    return;
                }
                catch (Exception e) when (DatasetShardGrain.HasLeft(e) && attempt < DatasetShardGrain.MostAttempts && !stopping.IsCancellationRequested)
                {
                    await Task.Delay(DatasetShardGrain.PauseAfter(attempt), time, stopping);
                }
            }
        }
    }

    private DatasetStatus Sum(IReadOnlyCollection<DatasetStatus?> shards, bool ended)
    {
        var known = shards.OfType<DatasetStatus>().ToArray();
        return new DatasetStatus
        {
            Dataset = Id.Name,
            Model = state.State.Model,
            ModelFolder = state.State.ModelFolder,
            Items = state.State.Items + state.State.Unreadable.Length,
            Done = known.Sum(static shard => shard.Done),
            Failed = known.Sum(static shard => shard.Failed) + state.State.Unreadable.Length,
            Skipped = known.Sum(static shard => shard.Skipped),
            PrefilledTokens = known.Sum(static shard => shard.PrefilledTokens),
            PrefillSeconds = known.Sum(static shard => shard.PrefillSeconds),
            StoredBytes = known.Sum(static shard => shard.StoredBytes),
            Tokens = known.Sum(static shard => shard.Tokens),
            Seconds = _started == 0 ? 0 : time.GetElapsedTime(_started).TotalSeconds,
            Failures = [.. state.State.Unreadable.Concat(known.SelectMany(static shard => shard.Failures)).Take(MostFailuresKept)],
            Ended = ended,
            Exact = known.All(static shard => shard.Exact),
            Run = state.State.Run,
        };
    }

    private IDatasetShardGrain ShardOf(int shard) => GrainFactory.GetGrain<IDatasetShardGrain>(Id.ShardKey(shard));

    private void RequireRun()
    {
        _ = Id;
        if (state.State.Status is null)
        {
            throw new GranaryException(ErrorCodes.DatasetNotFound, $"There is no data set '{Id}'.", "Run granary dataset precompute first.");
        }
    }

    // The digest is part of a key: nothing but hexadecimal gets there.
    private static string CheckDigest(string digest) => digest.Length == 64 && digest.All(char.IsAsciiHexDigit)
        ? digest
        : throw new GranaryException(ErrorCodes.InvalidArgument, $"'{digest}' is not a SHA-256 digest.", "Give 64 hexadecimal digits.");

    private static partial class Log
    {
        [LoggerMessage(EventIds.DatasetRunStarted, LogLevel.Information, "Precomputing {Dataset}: {Items} items with model {Model}")]
        public static partial void Started(ILogger logger, DatasetId dataset, int items, string model);

        [LoggerMessage(EventIds.DatasetRunEnded, LogLevel.Information, "Precomputed {Dataset}: {Done} done, {Skipped} found stored, {Failed} failed in {Seconds:F1} s")]
        public static partial void Ended(ILogger logger, DatasetId dataset, int done, int skipped, int failed, double seconds);
    }
}
