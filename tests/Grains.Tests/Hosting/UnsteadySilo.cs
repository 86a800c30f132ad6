using Granary.Inference.Engine;
using Granary.Inference.Tests.Engine;

namespace Granary.Grains.Tests.Hosting;

/// <summary>A silo whose model fails its self-test.</summary>
public sealed class UnsteadySilo : OneSilo
{
    private readonly string _cache = Directory.CreateTempSubdirectory("granary-unsteady-").FullName;

    private protected override ModelLoadOptions Loading => UnsteadyModel.Options(_cache);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(_cache, recursive: true);
    }
}
