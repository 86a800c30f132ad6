using System.Collections.Concurrent;

namespace Granary.Grains.Placement;

/// <summary>What this silo has last heard of all silos: which models they serve, with how many free KV bytes. Placement reads it, since directors cannot call grains.</summary>
internal sealed class SiloInventory
{
    private readonly ConcurrentDictionary<SiloAddress, SiloStock> _stocks = [];

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
            }
        }
    }

    /// <summary>Whether a silo serves a model.</summary>
    public bool Serves(SiloAddress silo, string model) => _stocks.TryGetValue(silo, out var stock) && stock.Models.Contains(model);

    /// <summary>Gets the bytes that a silo has free.</summary>
    public long FreeBytes(SiloAddress silo) => _stocks.TryGetValue(silo, out var stock) ? stock.FreeBytes : 0;
}

/// <summary>What one silo tells the others.</summary>
/// <param name="Name">The silo's name.</param>
/// <param name="Models">The models that it serves.</param>
/// <param name="FreeBytes">KV bytes that its budget has left.</param>
/// <param name="Numerics">What the bits of each model's answers depend on; <see langword="null"/> from a silo of an earlier build, which does not tell.</param>
[GenerateSerializer, Immutable, Alias("granary.silo-stock")]
internal sealed record SiloStock(
    [property: Id(0)] string Name,
    [property: Id(1)] string[] Models,
    [property: Id(2)] long FreeBytes,
    [property: Id(3)] ServedNumerics[]? Numerics = null);

/// <summary>A served model's numerics id.</summary>
/// <param name="Model">The model.</param>
/// <param name="Id">The numerics id.</param>
/// <param name="Exact">Whether the promise of equal bits holds for it.</param>
[GenerateSerializer, Immutable, Alias("granary.served-numerics")]
internal sealed record ServedNumerics([property: Id(0)] string Model, [property: Id(1)] string Id, [property: Id(2)] bool Exact);
