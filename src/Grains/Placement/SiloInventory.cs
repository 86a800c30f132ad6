using System.Collections.Concurrent;

namespace Granary.Grains.Placement;

/// <summary>What this silo has last heard of all silos: which models they serve, with how many free KV bytes. Placement reads it, since directors cannot call grains.</summary>
internal sealed class SiloInventory(TimeProvider time)
{
    /// <summary>How often a silo tells the others.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    // A context that was placed is admitted soon after, and its bytes are told with the next round: by then it counts there.
    private static readonly TimeSpan PlacedCounts = 2 * Period;
    private readonly ConcurrentDictionary<SiloAddress, SiloStock> _stocks = [];
    private readonly Dictionary<SiloAddress, Queue<long>> _placed = [];

    /// <summary>Gets what is known, by silo.</summary>
    public IReadOnlyDictionary<SiloAddress, SiloStock> Stocks => _stocks;

    /// <summary>Notes what a silo has told.</summary>
    public void Note(SiloAddress silo, SiloStock stock) => _stocks[silo] = stock;

    /// <summary>Forgets silos that are no longer active.</summary>
    public void Keep(IReadOnlySet<SiloAddress> active)
    {
        foreach (var silo in _stocks.Keys)
        {
            if (!active.Contains(silo))
            {
                _stocks.TryRemove(silo, out _);
                lock (_placed)
                {
                    _placed.Remove(silo);
                }
            }
        }
    }

    /// <summary>Whether a silo serves a model.</summary>
    public bool Serves(SiloAddress silo, string model) => _stocks.TryGetValue(silo, out var stock) && stock.Models.Contains(model);

    /// <summary>Whether a silo is about to leave, so that nothing new may be placed there.</summary>
    public bool IsDraining(SiloAddress silo) => _stocks.TryGetValue(silo, out var stock) && stock.Draining;

    /// <summary>Notes that a context has been placed on a silo, which that silo could not have told yet.</summary>
    public void NotePlaced(SiloAddress silo)
    {
        lock (_placed)
        {
            if (!_placed.TryGetValue(silo, out var placed))
            {
                _placed[silo] = placed = [];
            }

            placed.Enqueue(time.GetTimestamp());
        }
    }

    /// <summary>Gets what a context is likely to take: the mean of those that there are on any silo, or a page where there are none.</summary>
    public long GetContextBytes()
    {
        var known = _stocks.Values.Where(static stock => stock.ContextBytes > 0).ToList();
        return known.Count > 0 ? (long)known.Average(static stock => stock.ContextBytes) : _stocks.Values.Select(static stock => stock.PageBytes).DefaultIfEmpty().Max();
    }

    /// <summary>Gets what a silo has free: the bytes that it told, less those that what was placed there since is likely to take.</summary>
    /// <param name="silo">The silo.</param>
    /// <param name="contextBytes">What a context is likely to take.</param>
    /// <returns>The bytes, below zero where more was placed than fits, and the number of contexts that were placed, which decides between equals.</returns>
    public SiloRoom RoomOf(SiloAddress silo, long contextBytes)
    {
        var placed = CountPlaced(silo);
        return new SiloRoom(_stocks.TryGetValue(silo, out var stock) ? stock.FreeBytes - (placed * contextBytes) : 0, placed);
    }

    private int CountPlaced(SiloAddress silo)
    {
        lock (_placed)
        {
            if (!_placed.TryGetValue(silo, out var placed))
            {
                return 0;
            }

            while (placed.TryPeek(out var at) && time.GetElapsedTime(at) > PlacedCounts)
            {
                placed.Dequeue();
            }

            return placed.Count;
        }
    }
}

/// <summary>What a silo has free.</summary>
/// <param name="FreeBytes">The bytes.</param>
/// <param name="Placed">The contexts that were placed there and are not among its own figures yet.</param>
internal readonly record struct SiloRoom(long FreeBytes, int Placed) : IComparable<SiloRoom>
{
    /// <inheritdoc/>
    public int CompareTo(SiloRoom other) => FreeBytes != other.FreeBytes ? FreeBytes.CompareTo(other.FreeBytes) : other.Placed.CompareTo(Placed);
}

/// <summary>What one silo tells the others.</summary>
/// <param name="Name">The silo's name.</param>
/// <param name="Models">The models that it serves.</param>
/// <param name="FreeBytes">KV bytes that its budget has left.</param>
/// <param name="Numerics">What the bits of each model's answers depend on; <see langword="null"/> from a silo of an earlier build, which does not tell.</param>
/// <param name="Draining">Whether it is about to leave.</param>
/// <param name="ContextBytes">KV bytes that a context takes, by the mean of those that it holds; 0 where it holds none.</param>
/// <param name="PageBytes">KV bytes of a page of its largest model.</param>
/// <param name="Drained">Whether it has nothing left to wait for.</param>
/// <param name="Role">What it hosts.</param>
/// <param name="BudgetBytes">KV bytes that it may hold.</param>
/// <param name="Contexts">Its activations of contexts.</param>
/// <param name="Streams">The streams that callers have open on it.</param>
/// <param name="PrefilledTokens">The tokens of pages that it has computed since it started.</param>
/// <param name="Leases">The contexts' leases that are open.</param>
/// <param name="Waiting">The requests that wait for KV bytes.</param>
/// <param name="Queued">The requests that the engine has accepted and not finished.</param>
/// <param name="AllocatedBytes">The KV bytes that are allocated in its process.</param>
[GenerateSerializer, Immutable, Alias("granary.silo-stock")]
internal sealed record SiloStock(
    [property: Id(0)] string Name,
    [property: Id(1)] string[] Models,
    [property: Id(2)] long FreeBytes,
    [property: Id(3)] ServedNumerics[]? Numerics = null,
    [property: Id(4)] bool Draining = false,
    [property: Id(5)] long ContextBytes = 0,
    [property: Id(6)] long PageBytes = 0,
    [property: Id(7)] bool Drained = false,
    [property: Id(8)] string Role = "",
    [property: Id(9)] long BudgetBytes = 0,
    [property: Id(10)] int Contexts = 0,
    [property: Id(11)] int Streams = 0,
    [property: Id(12)] long PrefilledTokens = 0,
    [property: Id(13)] int Leases = 0,
    [property: Id(14)] int Waiting = 0,
    [property: Id(15)] int Queued = 0,
    [property: Id(16)] long AllocatedBytes = 0);

/// <summary>A served model's numerics id.</summary>
/// <param name="Model">The model.</param>
/// <param name="Id">The numerics id.</param>
/// <param name="Exact">Whether the promise of equal bits holds for it.</param>
[GenerateSerializer, Immutable, Alias("granary.served-numerics")]
internal sealed record ServedNumerics([property: Id(0)] string Model, [property: Id(1)] string Id, [property: Id(2)] bool Exact);
