using Granary.Grains.Models;
using Granary.Grains.Residency;
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
    TimeProvider time) : GrainService(id, silo, loggers), ISiloInventoryService
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly ILogger _logger = loggers.CreateLogger<SiloInventoryService>();
    private Task _publishing = Task.CompletedTask;

    /// <inheritdoc/>
    public override Task Start()
    {
        NoteOwn();
        models.Changed += () => NoteOwn();
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
        inventory.Note(silo, stock);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<string[]> ListResidentAsync() => Task.FromResult(resident.List());

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
            PageBytes: served.Select(static model => model.Loaded.Layout.BytesOf(model.Spec.PageSize)).DefaultIfEmpty().Max());
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
                await Task.Delay(SiloInventory.Period, time, stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
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
