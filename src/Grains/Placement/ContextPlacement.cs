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

/// <summary>Chooses the freer of two random silos that serve the model: near the best, without a herd running to it (Mitzenmacher 2001, the power of two choices).</summary>
internal sealed class ContextPlacementDirector(SiloInventory inventory) : IPlacementDirector
{
    /// <inheritdoc/>
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        var model = ContextKey.ModelOf(target.GrainIdentity.Key.ToString()!);
        var serving = context.GetCompatibleSilos(target).Where(silo => inventory.Serves(silo, model)).ToArray();
        if (serving.Length == 0)
        {
            // Placement retries this type: a silo that has just joined may not have been heard of yet. Only the message reaches the client, which looks for the code.
            throw new OrleansException($"{ErrorCodes.NoWorker}: no active silo serves model '{model}'.");
        }

        var first = serving[Random.Shared.Next(serving.Length)];
        var second = serving[Random.Shared.Next(serving.Length)];
        return Task.FromResult(inventory.FreeBytes(first) >= inventory.FreeBytes(second) ? first : second);
    }
}
