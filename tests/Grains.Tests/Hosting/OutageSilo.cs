using Granary.Storage.Objects;

namespace Granary.Grains.Tests.Hosting;

/// <summary>A silo on a store that goes down.</summary>
public sealed class OutageSilo : OneSilo
{
    /// <summary>Gets the store that holds everything, and never fails.</summary>
    public IObjectStore Steady { get; } = new InMemoryObjectStore(TimeProvider.System);

    public OutageSilo() => Outage = new OutageStore(Steady);

    public override IObjectStore Store => Outage;

    internal OutageStore Outage { get; }

    // What is quicker, so that a read that does not end is given up.
    protected override string Plan => "auto";

    public override async ValueTask DisposeAsync()
    {
        Outage.End();
        await base.DisposeAsync();
    }
}
