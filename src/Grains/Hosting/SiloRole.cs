namespace Granary.Grains.Hosting;

/// <summary>What a silo hosts.</summary>
public enum SiloRole
{
    /// <summary>Everything.</summary>
    Both,

    /// <summary>Contexts and the models that serve them; nothing that looks after the cluster or the store.</summary>
    Worker,

    /// <summary>What coordinates: data sets, listings, sweeps, the cluster's state. No context and no model.</summary>
    Front,
}

/// <summary>The role of this silo.</summary>
internal sealed record HostedRole(SiloRole Role);
