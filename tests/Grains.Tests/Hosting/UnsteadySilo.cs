using Granary.Inference.Engine;
using Granary.Inference.Tests.Engine;
using Granary.Storage.Objects;

namespace Granary.Grains.Tests.Hosting;

/// <summary>A silo whose model fails its self-test.</summary>
public sealed class UnsteadySilo : OneSilo
{
    private readonly IObjectStore? _store;
    private readonly string _cache = Directory.CreateTempSubdirectory("granary-unsteady-").FullName;

    public UnsteadySilo()
    {
    }

    /// <param name="store">A store that has another silo already.</param>
    internal UnsteadySilo(IObjectStore store) => _store = store;

    public override IObjectStore Store => _store ?? base.Store;

    private protected override ModelLoadOptions Loading => UnsteadyModel.Options(_cache);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(_cache, recursive: true);
    }
}
