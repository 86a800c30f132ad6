using Granary.Grains.Planning;
using Granary.Storage.Objects;

namespace Granary.Grains.Tests.Hosting;

/// <summary>A silo on a store that goes down.</summary>
public class OutageSilo : OneSilo
{
    /// <summary>Gets the store that holds everything, and never fails.</summary>
    public IObjectStore Steady { get; } = new InMemoryObjectStore(TimeProvider.System);

    public OutageSilo() => Outage = new OutageStore(Steady);

    public override IObjectStore Store => Outage;

    internal OutageStore Outage { get; }

    public override async ValueTask DisposeAsync()
    {
        Outage.End();
        await base.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}

/// <summary>The same, where asks take the quicker way, so that a read that does not end is given up.</summary>
public sealed class PlanningOutageSilo : OutageSilo
{
    protected override string Plan => "auto";

    /// <summary>Sees to it that stored pages are read: the sample's are computed almost as quickly.</summary>
    public void KnowThatTheStoreIsQuick()
    {
        for (var probe = 0; probe < 20; probe++)
        {
            Service<PrefixPlanner>().Store.Seed(TimeSpan.FromMicroseconds(1), 1 << 20, TimeSpan.FromMicroseconds(10));
        }
    }
}
