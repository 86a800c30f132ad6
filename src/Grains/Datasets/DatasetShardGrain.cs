using System.Runtime.CompilerServices;
using Granary.Contexts;
using Granary.Datasets;
using Granary.Errors;
using Granary.Grains.Draining;
using Granary.Grains.Errors;
using Granary.Grains.Persistence;
using Granary.Grains.Placement;
using Granary.Grains.Telemetry;
using Granary.Grains.Transitions;
using Granary.Naming;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;

namespace Granary.Grains.Datasets;

/// <summary>Works through at most 256 items of a data set. Its reminder takes the work up again where a silo died (DESIGN §5).</summary>
[AvoidDraining, Reentrant]
internal sealed partial class DatasetShardGrain(
    IGrainContext activation,
    SiloDrain drain,
    [PersistentState("shard", BlobGrainStorage.Name)] IPersistentState<DatasetShardState> state,
    DatasetItemStore itemStore,
    TimeProvider time,
    ILogger<DatasetShardGrain> logger) : Grain, IDatasetShardGrain, IRemindable
{
    // Two: while one context's chunks are written, the next one is computed.
    private const int ContextsAtATime = 2;
    private const int AsksAtATime = 4;
    private const int CheckpointItems = 16;

    // 1 + 2 + 4 + 5 · 8 s: longer than the cluster takes to declare a silo dead (5 s × 3 probes, and a range lease of 5 s).
    internal const int MostAttempts = 9;
    private const int AttemptsWhileDown = 2;
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(8);
    private const int MostFailuresKept = 100;
    private const string ReminderName = "precompute";
    private static readonly TimeSpan ReminderPeriod = TimeSpan.FromMinutes(1);

    private readonly ActivationWork _work = drain.Register(activation);
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _saving = new(1, 1);
    private SharedTransition<DatasetStatus, bool>? _run;
    private int _attempts = MostAttempts;

    private DatasetId Dataset => DatasetId.Parse(this.GetPrimaryKeyString()[..^6]);

    private int Shard => int.Parse(this.GetPrimaryKeyString().AsSpan()[^5..], System.Globalization.CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) => _stopping.CancelAsync();

    /// <inheritdoc/>
    public async Task ReceiveReminder(string reminderName, TickStatus status)
    {
        if (state.State is { Request: not null, Ended: false })
        {
            Join(state.State.Request);
        }
        else if (await this.GetReminder(reminderName) is { } left && state.State is not { Request: not null, Ended: false })
        {
            await this.UnregisterReminder(left);
        }
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<DatasetStatus> PrecomputeAsync(ShardRequest request, CancellationToken cancellationToken) =>
        ErrorEdge.GuardAsync(Join(request).WatchAsync(cancellationToken));

    /// <inheritdoc/>
    public async Task<int> CountQuestionsAsync(string digest)
    {
        var of = await ErrorEdge.GuardAsync(itemStore.ReadAsync(Dataset, digest, Shard, CancellationToken.None));
        return of.Sum(static item => item.Questions.Length);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<DatasetAnswer> AskAsync(string model, string digest, DatasetAskRequest request, CancellationToken cancellationToken) =>
        _work.ServeAsync(AskStreamAsync(model, digest, request, cancellationToken));

    private SharedTransition<DatasetStatus, bool> Join(ShardRequest request)
    {
        if (_run is not { IsCompleted: false } || state.State.Request?.Run != request.Run)
        {
            _run?.Cancel();
            if (state.State.Request?.Run != request.Run)
            {
                state.State = new DatasetShardState { Request = request };
            }

            _run = SharedTransition<DatasetStatus, bool>.Start(RunAsync, _stopping.Token, latestOnly: true);
        }

        return _run;
    }

    private async Task<bool> RunAsync(SharedTransition<DatasetStatus, bool> transition, CancellationToken stopping)
    {
        using var work = _work.Begin();
        transition.OutliveCallers();
        var run = state.State;
        var request = run.Request!;
        if (!run.Ended)
        {
            await SaveAsync();
            var reminder = await RegisterAsync(stopping);
            var items = await itemStore.ReadAsync(Dataset, request.Digest, Shard, stopping);
            transition.Report(Describe(run));
            var remaining = new Queue<DatasetItem>(items.Where(item => !run.Finished.Contains(item.Id)));
            await Task.WhenAll(Enumerable.Range(0, ContextsAtATime).Select(_ => WorkAsync(remaining)));
            if (remaining.Count > 0)
            {
                // Whoever watches takes it up elsewhere, at once; the reminder does where nobody watches.
                await SaveAsync();
                throw new GranaryException(ErrorCodes.Unavailable, $"The silo of shard {Shard} of '{Dataset}' is about to leave.", "Join it again: it goes on where it stopped.");
            }

            await EndAsync();
            try
            {
                await this.UnregisterReminder(reminder, CancellationToken.None);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                Log.ReminderStays(logger, Shard, Dataset, e.Message); // all is stored, whatever becomes of the table of reminders
            }
        }

        transition.Report(Describe(run));
        return true;

        async Task EndAsync()
        {
            run.Ended = true;
            try
            {
                await SaveAsync();
            }
            catch
            {
                run.Ended = false; // it is not known to have: a tick of the reminder takes it up again
                throw;
            }
        }

        async Task WorkAsync(Queue<DatasetItem> remaining)
        {
            // A silo that drains ends what is begun, and begins nothing.
            while (!drain.IsDraining && remaining.TryDequeue(out var item))
            {
                stopping.ThrowIfCancellationRequested();
                await ComputeAsync(run, request.Model, item, stopping);
                run.Finished.Add(item.Id);
                transition.Report(Describe(run));
                if (run.Finished.Count % CheckpointItems == 0)
                {
                    // What is lost between two checkpoints costs a look at the store, no computation.
                    await SaveAsync();
                }
            }
        }
    }

    // No client knows the errors of the table of reminders. What it does not promise now is tried again, as where a silo has left.
    private async Task<IGrainReminder> RegisterAsync(CancellationToken stopping)
    {
        try
        {
            return await this.RegisterOrUpdateReminder(ReminderName, ReminderPeriod, ReminderPeriod, stopping);
        }
        catch (Exception e) when (e is not (OutOfMemoryException or OperationCanceledException))
        {
            throw new GranaryException(ErrorCodes.Unavailable, $"Shard {Shard} of '{Dataset}' could not register its reminder ({e.Message}).", "Run it again when the cluster's Redis answers.");
        }
    }

    // One write at a time: two of this activation would fence each other.
    private async Task SaveAsync()
    {
        await _saving.WaitAsync();
        try
        {
            await state.WriteStateAsync();
        }
        finally
        {
            _saving.Release();
        }
    }

    private async Task ComputeAsync(DatasetShardState run, string model, DatasetItem item, CancellationToken stopping)
    {
        var (created, failure) = await TryAsync(item, CreateAsync, stopping);
        if (created is not null)
        {
            Note(run, created);
            return;
        }

        run.Failed++;
        if (run.Failures.Count < MostFailuresKept)
        {
            run.Failures.Add(failure!);
        }

        Instruments.DatasetItems.Add(1, Instruments.Tag("state", "failed"));
        Log.ItemFailed(logger, Dataset, failure!.Code, failure.Message);

        async Task<ContextCreated?> CreateAsync()
        {
            var request = new CreateContextRequest { Input = TokenInput.OfText(item.Context), Batch = true };
            ContextCreated? created = null;
            await foreach (var progress in ContextOf(model, item).CreateAsync(request, stopping).WithCancellation(stopping))
            {
                created = progress.Result;
            }

            return created ?? throw new GranaryException(ErrorCodes.Internal, "The creation ended without a result.", "Run it again.");
        }
    }

    // What fails because a silo has left, or is busy, is tried again for a while; anything else fails at once.
    private async Task<(T? Result, DatasetFailure? Failure)> TryAsync<T>(DatasetItem item, Func<Task<T?>> workAsync, CancellationToken stopping)
        where T : class
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var result = await workAsync();
                _attempts = MostAttempts;
                return (result, null);
            }
            catch (Exception e) when (IsTransient(e) && attempt < _attempts && !stopping.IsCancellationRequested)
            {
                await Task.Delay(PauseAfter(attempt), time, stopping);
            }
            catch (Exception e) when (e is GranaryException || (IsTransient(e) && !stopping.IsCancellationRequested))
            {
                // One item has waited in vain: the next ones need not wait as long again.
                _attempts = IsTransient(e) ? AttemptsWhileDown : _attempts;
                return (null, new DatasetFailure(item.Id, e is GranaryException known ? known.Code : ErrorCodes.Unavailable, e.Message));
            }
        }
    }

    private static void Note(DatasetShardState run, ContextCreated created)
    {
        // A creation that was cut off and is now only acknowledged computes nothing: it was found stored.
        var computed = !created.Existed && created.PrefilledTokens > 0;
        run.Done += computed ? 1 : 0;
        run.Skipped += computed ? 0 : 1;
        run.PrefilledTokens += created.PrefilledTokens;
        run.PrefillSeconds += created.PrefillSeconds;
        run.StoredBytes += created.Context.StoredBytes;
        run.Tokens += created.Context.Tokens;
        run.Inexact |= created is { Exact: false, Numerics: not null }; // a silo of an earlier build says neither
        Instruments.DatasetItems.Add(1, Instruments.Tag("state", computed ? "done" : "skipped"));
    }

    private async IAsyncEnumerable<DatasetAnswer> AskStreamAsync(
        string model, string digest, DatasetAskRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var items = await itemStore.ReadAsync(Dataset, digest, Shard, cancellationToken);
        var questions = items.SelectMany(static item => item.Questions.Select(question => (item, question))).Skip(request.Skip).GetEnumerator();
        var pending = new Queue<Task<DatasetAnswer>>();
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
        try
        {
            while (true)
            {
                while (pending.Count < AsksAtATime && questions.MoveNext())
                {
                    pending.Enqueue(AskOneAsync(model, questions.Current.item, questions.Current.question, request, stopping.Token));
                }

                if (!pending.TryDequeue(out var next))
                {
                    yield break;
                }

                yield return await next;
            }
        }
        finally
        {
            questions.Dispose();
            await stopping.CancelAsync();
            await Task.WhenAll(pending).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Current);
        }
    }

    private async Task<DatasetAnswer> AskOneAsync(string model, DatasetItem item, DatasetQuestion question, DatasetAskRequest request, CancellationToken cancellationToken)
    {
        var (answer, failure) = await TryAsync(item, AskAsync, cancellationToken);
        return new DatasetAnswer(item.Id, question, answer, failure);

        async Task<Answer?> AskAsync()
        {
            var prompt = TokenInput.OfText(question.Question);
            var parts = request.NoCache
                ? GrainFactory.Find<IContextGrain>($"{Dataset.Tenant}/{model}/~{Guid.NewGuid():N}").GenerateAsync(
                    new GenerateRequest { Context = TokenInput.OfText(item.Context), Prompt = prompt, Options = request.Options, NoCache = true, Batch = true }, cancellationToken)
                : ContextOf(model, item).AskAsync(new AskRequest { Prompt = prompt, Options = request.Options, Batch = true }, cancellationToken);
            Answer? answer = null;
            await foreach (var part in parts.WithCancellation(cancellationToken))
            {
                answer = part.Answer;
            }

            return answer;
        }
    }

    private IContextGrain ContextOf(string model, DatasetItem item) =>
        GrainFactory.Find<IContextGrain>(new ContextId(Dataset.Tenant, model, Names.OfDatasetItem(Dataset.Name, item.Id)).ToString());

    /// <summary>Gets how long is waited after an attempt.</summary>
    internal static TimeSpan PauseAfter(int attempt) => TimeSpan.FromSeconds(Math.Min(Math.Pow(2, attempt - 1), LongestPause.TotalSeconds));

    /// <summary>Whether an error says that the silo of a shard has left, or is about to.</summary>
    /// <remarks>A shard that cannot load its state is refused with Orleans' error, too; inside it is why.</remarks>
    internal static bool HasLeft(Exception error) => error is OrleansException { InnerException: not GranaryException } or TimeoutException or EnumerationAbortedException or OperationCanceledException
        || error is GranaryException { Code: ErrorCodes.Unavailable };

    private static bool IsTransient(Exception error) => error is OrleansException or TimeoutException or EnumerationAbortedException or OperationCanceledException
        || error is GranaryException { Code: ErrorCodes.Unavailable or ErrorCodes.NoWorker or ErrorCodes.StoreUnavailable or ErrorCodes.QueueFull };

    private DatasetStatus Describe(DatasetShardState run) => new()
    {
        Dataset = Dataset.Name,
        Model = run.Request!.Model,
        Items = run.Finished.Count,
        Done = run.Done,
        Failed = run.Failed,
        Skipped = run.Skipped,
        PrefilledTokens = run.PrefilledTokens,
        PrefillSeconds = run.PrefillSeconds,
        StoredBytes = run.StoredBytes,
        Tokens = run.Tokens,
        Seconds = 0,
        Failures = [.. run.Failures],
        Ended = run.Ended,
        Exact = !run.Inexact,
    };

    private static partial class Log
    {
        [LoggerMessage(EventIds.DatasetReminderStays, LogLevel.Information, "The reminder of shard {Shard} of {Dataset}, which has ended, could not be taken away ({Reason}); its next tick tries again")]
        public static partial void ReminderStays(ILogger logger, int shard, DatasetId dataset, string reason);

        [LoggerMessage(EventIds.DatasetItemFailed, LogLevel.Warning, "An item of {Dataset} failed ({Code}): {Reason}")]
        public static partial void ItemFailed(ILogger logger, DatasetId dataset, string code, string reason);
    }
}
