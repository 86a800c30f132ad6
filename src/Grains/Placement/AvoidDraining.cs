using Orleans.Placement;
using Orleans.Runtime.Placement;

namespace Granary.Grains.Placement;

/// <summary>Keeps what may live anywhere off silos that are about to leave, as long as there are others.</summary>
internal sealed class AvoidDraining(int order) : PlacementFilterStrategy(order)
{
    public AvoidDraining()
        : this(0)
    {
    }
}

/// <summary>Applies <see cref="AvoidDraining"/> to a grain class.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class AvoidDrainingAttribute() : PlacementFilterAttribute(new AvoidDraining());

/// <summary>Applies what the silos have told.</summary>
internal sealed class AvoidDrainingDirector(SiloInventory inventory) : IPlacementFilterDirector
{
    /// <inheritdoc/>
    public IEnumerable<SiloAddress> Filter(PlacementFilterStrategy filterStrategy, PlacementTarget target, IEnumerable<SiloAddress> silos)
    {
        var all = silos.ToArray();
        var staying = Array.FindAll(all, silo => !inventory.IsDraining(silo));
        return staying.Length > 0 ? staying : all;
    }
}
