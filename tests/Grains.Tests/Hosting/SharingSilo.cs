using Granary.Grains.Contexts;
using Granary.Storage.Objects;

namespace Granary.Grains.Tests.Hosting;

/// <summary>A silo, some of whose tenants share.</summary>
internal sealed class SharingSilo(IObjectStore store, params string[] tenants) : OneSilo
{
    public override IObjectStore Store => store;

    protected override void Configure(SharingOptions options) => options.Tenants = tenants;
}
