using Granary.Storage.Objects;

namespace Granary.Grains.Tests.Hosting;

/// <summary>A silo that serves the sample model in bfloat16.</summary>
public sealed class HalfSilo : OneSilo
{
    private readonly IObjectStore? _store;

    public HalfSilo()
    {
    }

    /// <param name="store">A store that has such a silo already.</param>
    internal HalfSilo(IObjectStore store) => _store = store;

    public override IObjectStore Store => _store ?? base.Store;

    protected override string Dtype => "bfloat16";
}
