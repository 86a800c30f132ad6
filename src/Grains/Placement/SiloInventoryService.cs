using Granary.Grains.Contexts;
using Granary.Grains.Draining;
using Granary.Grains.Hosting;
using Granary.Grains.Models;
using Granary.Grains.Residency;
using Granary.Inference.Engine;
using Granary.Inference.Pages;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;
using Orleans.Runtime.Services;
using Orleans.Services;

namespace Granary.Grains.Placement;

/// <summary>Tells every silo what this one serves, and hears the same from them.</summary>
[Alias("granary.ISiloInventoryService")]
internal interface ISiloInventoryService : IGrainService
{
    /// <summary>Notes what a silo tells.</summary>
    [Alias("Tell")]
    Task TellAsync(SiloAddress silo, SiloStock stock);

    /// <summary>Lists the contexts that are resident here.</summary>
    [Alias("ListResident")]
    Task<string[]> ListResidentAsync();

    /// <summary>Tells what this silo has now.</summary>
    [Alias("GetStock")]
    Task<SiloStock> GetStockAsync();

    /// <summary>Begins to drain this silo, if nobody has.</summary>
    [Alias("Drain")]
    Task<SiloStock> DrainAsync();
}

/// <summary>Reaches the inventory service of any silo.</summary>
internal interface ISiloInventoryClient
{
    /// <summary>Gets a silo's service.</summary>
    ISiloInventoryService Of(SiloAddress silo);
}

/// <inheritdoc cref="ISiloInventoryClient"/>
internal sealed class SiloInventoryClient(IServiceProvider services) : GrainServiceClient<ISiloInventoryService>(services), ISiloInventoryClient
{
    /// <inheritdoc/>
    public ISiloInventoryService Of(SiloAddress silo) => GetGrainService(silo);
}

/// <summary>One silo's end of the gossip: every second it tells all active silos.</summary>
[Reentrant]
internal sealed partial class SiloInventoryService(
    GrainId id,
    Silo silo,
    ILoggerFactory loggers,
    ILocalSiloDetails local,
    IClusterMembershipService membership,
    ISiloInventoryClient services,
    SiloInventory inventory,
    SiloModels models,
    KvRegistry registry,
    ResidentContexts resident,
    PageFiller filler,
    DeviceEngine engine,
    SiloDrain drain,
    HostedRole role,
    TimeProvider time) : GrainService(id, silo, loggers), ISiloInventoryService
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly ILogger _logger = loggers.CreateLogger<SiloInventoryService>();
    private Task _publishing = Task.CompletedTask;
    private TaskCompletionSource<TaskCompletionSource> _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <inheritdoc/>
    public override Task Start()
    {
        NoteOwn();
        models.Changed += () => NoteOwn();
        drain.Announce = AnnounceAsync;
        _publishing = PublishAsync(_stopping.Token);
        return base.Start();
    }

    /// <inheritdoc/>
    public override async Task Stop()
    {
        await _stopping.CancelAsync();
        await _publishing;
        await base.Stop();
    }

    /// <inheritdoc/>
    public Task TellAsync(SiloAddress silo, SiloStock stock)
    {
        if (!inventory.Stocks.ContainsKey(silo))
        {
            _ = AnnounceAsync(); // it has just joined, and is to know this one before its own first placement
        }

        inventory.Note(silo, stock);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<string[]> ListResidentAsync() => Task.FromResult(resident.List());

    /// <inheritdoc/>
    public Task<SiloStock> GetStockAsync() => Task.FromResult(NoteOwn());

    /// <inheritdoc/>
    public Task<SiloStock> DrainAsync()
    {
        _ = drain.DrainAsync();
        return Task.FromResult(NoteOwn());
    }

    // From any thread: the loop, which may call the other silos, is woken, and says when all that answer have been told.
    private Task AnnounceAsync()
    {
        NoteOwn();
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return Volatile.Read(ref _asked).TrySetResult(told) ? told.Task : Task.CompletedTask;
    }

    private SiloStock NoteOwn()
    {
        var served = models.Served;
        var used = registry.Budget.UsedBytes;
        var contexts = resident.Count;
        var stock = new SiloStock(
            local.Name,
            [.. served.Select(static model => model.Id)],
            registry.Budget.TotalBytes - used,
            [.. served.Select(static model => new ServedNumerics(model.Id, model.Numerics, model.IsExact))],
            ContextBytes: contexts > 0 ? used / contexts : 0,
            PageBytes: served.Select(static model => model.Loaded.Layout.BytesOf(model.Spec.PageSize)).DefaultIfEmpty().Max(),
            Draining: drain.IsDraining,
            Drained: drain.IsDrained,
            Role: role.Role.ToString().ToLowerInvariant(),
            BudgetBytes: registry.Budget.TotalBytes,
            Contexts: drain.Contexts,
            Streams: drain.Streams,
            PrefilledTokens: filler.PrefilledTokens,
            Leases: registry.Leases,
            Waiting: registry.Budgets.Waiters,
            Queued: engine.QueueDepth,
            AllocatedBytes: KvPage.AllocatedBytes);
        inventory.Note(local.SiloAddress, stock);
        return stock;
    }

    private async Task PublishAsync(CancellationToken stopping)
    {
        try
        {
            while (!stopping.IsCancellationRequested)
            {
                await PublishOnceAsync();
                await WaitAsync();
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
        }

        // For the next round, or until somebody asks for one.
        async Task WaitAsync()
        {
            using var round = CancellationTokenSource.CreateLinkedTokenSource(stopping);
            var asked = Volatile.Read(ref _asked);
            await Task.WhenAny(asked.Task, Task.Delay(SiloInventory.Period, time, round.Token));
            await round.CancelAsync();
            stopping.ThrowIfCancellationRequested();
            if (asked.Task.IsCompleted)
            {
                Volatile.Write(ref _asked, new(TaskCreationOptions.RunContinuationsAsynchronously));
                await PublishOnceAsync();
                (await asked.Task).TrySetResult();
            }
        }

        async Task PublishOnceAsync()
        {
            try
            {
                var stock = NoteOwn();
                var snapshot = membership.CurrentSnapshot;
                var active = snapshot.Members.Values.Where(static member => member.Status == SiloStatus.Active).Select(static member => member.SiloAddress).ToHashSet();
                active.Add(local.SiloAddress);
                inventory.Keep(active);
                await Task.WhenAll(active.Where(silo => !silo.Equals(local.SiloAddress)).Select(silo => TellAsync(silo, stock, stopping)));
            }
            catch (Exception e) when (!stopping.IsCancellationRequested)
            {
                // The edge of the loop: a round that fails must not be the last.
                Log.PublishFailed(_logger, local.SiloAddress, e.Message);
            }
        }

        async Task TellAsync(SiloAddress other, SiloStock stock, CancellationToken cancellationToken)
        {
            try
            {
                await services.Of(other).TellAsync(local.SiloAddress, stock).WaitAsync(SiloInventory.Period, time, cancellationToken);
            }
            catch (Exception e) when (e is OrleansException or TimeoutException)
            {
                // It is joining, leaving or dead; the next round tells it, or the membership drops it.
                Log.PublishFailed(_logger, other, e.Message);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.InventoryPublishFailed, LogLevel.Debug, "Could not tell {Silo} what this silo serves: {Reason}")]
        public static partial void PublishFailed(ILogger logger, SiloAddress silo, string reason);
    }
}
