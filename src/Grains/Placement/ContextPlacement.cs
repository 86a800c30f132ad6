using Granary.Errors;
using Orleans.Placement;
using Orleans.Runtime.Placement;

namespace Granary.Grains.Placement;

/// <summary>Places a context on a silo that serves its model, by free KV bytes.</summary>
[GenerateSerializer, Immutable, SuppressReferenceTracking]
internal sealed class ContextPlacement : PlacementStrategy;

/// <summary>Applies <see cref="ContextPlacement"/> to a grain class.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class ContextPlacementAttribute() : PlacementAttribute(new ContextPlacement());

/// <summary>Chooses the freer of two random silos that serve the model and have room: near the best, without a herd running to it (Mitzenmacher 2001, the power of two choices).</summary>
internal sealed class ContextPlacementDirector(SiloInventory inventory) : IPlacementDirector
{
    /// <inheritdoc/>
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        var model = ContextKey.ModelOf(target.GrainIdentity.Key.ToString()!);
        var contextBytes = inventory.GetContextBytes();
        var silos = context.GetCompatibleSilos(target)
            .Where(silo => inventory.Serves(silo, model) && !inventory.IsDraining(silo))
            .Select(silo => (Silo: silo, Room: inventory.RoomOf(silo, contextBytes)))
            .ToArray();
        if (silos.Length == 0)
        {
            // Placement retries this type: a silo that has just joined may not have been heard of yet. Only the message reaches the client, which looks for the code.
            throw new OrleansException($"{ErrorCodes.NoWorker}: {DescribeServed(model)}");
        }

        // A silo without room would evict what it has; while another one has room nothing needs to go.
        var roomy = Array.FindAll(silos, silo => silo.Room.FreeBytes >= contextBytes);
        var candidates = roomy.Length > 0 ? roomy : silos;
        var first = Random.Shared.Next(candidates.Length);
        var second = candidates.Length > 1 ? (first + 1 + Random.Shared.Next(candidates.Length - 1)) % candidates.Length : first;
        var chosen = candidates[candidates[first].Room.CompareTo(candidates[second].Room) >= 0 ? first : second].Silo;
        inventory.NotePlaced(chosen);
        return Task.FromResult(chosen);
    }

    private string DescribeServed(string model)
    {
        var stocks = inventory.Stocks.Values;
        var draining = stocks.Where(stock => stock.Draining && stock.Models.Contains(model)).Select(static stock => stock.Name).Order(StringComparer.Ordinal).ToArray();
        var served = stocks.Where(static stock => !stock.Draining).SelectMany(static stock => stock.Models).CountBy(static served => served)
            .OrderBy(static served => served.Key, StringComparer.Ordinal).Select(served => $"{served.Key} ({served.Value} of {stocks.Count()} silos)").ToArray();
        var missing = draining.Length > 0 ? $"Model '{model}' is served by silos alone that are about to leave ({string.Join(", ", draining)})" : $"No active silo serves model '{model}'";
        return $"{missing}; {(served.Length > 0 ? $"served are {string.Join(", ", served)}" : $"none of {stocks.Count()} silos serves another one")}.";
    }
}
