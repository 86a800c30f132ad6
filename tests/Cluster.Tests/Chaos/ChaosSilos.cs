using Granary.Cluster.Tests.Processes;

namespace Granary.Cluster.Tests.Chaos;

/// <summary>Three silos that are killed, stopped and paused, and started again.</summary>
internal sealed class ChaosSilos : IAsyncDisposable
{
    private const int Count = 3;
    private static readonly TimeSpan MostEnd = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan MostSelfEnd = TimeSpan.FromSeconds(15);
    private static readonly IReadOnlyDictionary<string, string?> Settings = new Dictionary<string, string?>(SiloProcess.CrashSettings) { ["Granary__Silo__WarmUp"] = "true" };
    private readonly string _store;
    private readonly string _cluster;
    private readonly Slot[] _slots = [.. Enumerable.Range(0, Count).Select(static _ => new Slot())];
    private readonly List<DisturbedAt> _disturbances = [];
    private readonly Lock _gate = new();

    private ChaosSilos(string store, string cluster) => (_store, _cluster) = (store, cluster);

    /// <summary>Gets what was done, in order.</summary>
    public IReadOnlyList<DisturbedAt> Disturbances
    {
        get
        {
            lock (_gate)
            {
                return [.. _disturbances];
            }
        }
    }

    /// <summary>Starts the silos.</summary>
    public static async Task<ChaosSilos> StartAsync(string store, string cluster, CancellationToken cancellationToken)
    {
        var silos = new ChaosSilos(store, cluster);
        await Task.WhenAll(silos._slots.Select(slot => silos.StartAsync(slot, cancellationToken)));
        return silos;
    }

    /// <summary>Does something to a random silo, where another one stays, and starts it again as soon as it has ended.</summary>
    /// <returns>Whether a silo could be spared.</returns>
    public bool TryDisturb(Disturbance kind, TimeSpan pause, Random random, CancellationToken cancellationToken)
    {
        var ready = _slots.Where(static slot => slot.IsReady).ToList();
        if (ready.Count < 2)
        {
            return false;
        }

        var slot = ready[random.Next(ready.Count)];
        slot.IsReady = false;
        slot.Recovery = RecoverAsync(slot, kind, pause, cancellationToken);
        return true;
    }

    /// <summary>Waits until all silos run again.</summary>
    public Task RecoverAsync() => Task.WhenAll(_slots.Select(static slot => slot.Recovery));

    public async ValueTask DisposeAsync()
    {
        foreach (var slot in _slots)
        {
            if (slot.Silo is { } silo)
            {
                await silo.DisposeAsync();
            }
        }
    }

    private async Task RecoverAsync(Slot slot, Disturbance kind, TimeSpan pause, CancellationToken cancellationToken)
    {
        var (silo, began) = (slot.Silo!, TimeProvider.System.GetTimestamp());
        switch (kind)
        {
            case Disturbance.Killed:
                Note(kind, began);
                await silo.KillAsync(cancellationToken);
                break;
            case Disturbance.Terminated:
                Note(kind, began);
                silo.Terminate();
                await silo.WaitForExitAsync(MostEnd, cancellationToken);
                break;
            case Disturbance.Paused:
                silo.Pause();
                await Task.Delay(pause, TimeProvider.System, cancellationToken);
                silo.Continue();
                Note(kind, began);
                if (!await FindsItselfDeadAsync(silo, cancellationToken))
                {
                    slot.IsReady = true;
                    return;
                }

                break;
        }

        await silo.DisposeAsync();
        await StartAsync(slot, cancellationToken);
    }

    // Where the others have declared it dead it finds out and ends itself; where it was too quick for them, it goes on.
    private static async Task<bool> FindsItselfDeadAsync(SiloProcess silo, CancellationToken cancellationToken)
    {
        try
        {
            await silo.WaitForExitAsync(MostSelfEnd, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private async Task StartAsync(Slot slot, CancellationToken cancellationToken)
    {
        slot.Silo = await SiloProcess.StartAsync(_store, _cluster, cancellationToken, settings: Settings);
        slot.IsReady = true;
    }

    private void Note(Disturbance kind, long began)
    {
        lock (_gate)
        {
            _disturbances.Add(new DisturbedAt(kind, began, TimeProvider.System.GetTimestamp()));
        }
    }

    private sealed class Slot
    {
        public SiloProcess? Silo { get; set; }

        public volatile bool IsReady;

        public Task Recovery { get; set; } = Task.CompletedTask;
    }
}
