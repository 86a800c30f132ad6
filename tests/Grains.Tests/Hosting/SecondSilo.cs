using Granary.Storage.Objects;

namespace Granary.Grains.Tests.Hosting;

/// <summary>Another silo on a store that has one already, in no cluster with it.</summary>
internal sealed class SecondSilo(IObjectStore store) : OneSilo
{
    public override IObjectStore Store => store;
}
