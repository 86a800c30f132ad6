using Granary.Errors;
using Granary.Grains.Models;
using Granary.Grains.Tests.Hosting;
using Granary.Inference.Engine;
using Granary.Storage.Objects;
using Granary.Storage.Specs;
using Granary.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Granary.Grains.Tests.Models;

/// <summary>What a silo loads and may not serve, it does not keep.</summary>
[Collection("Engine")]
public sealed class SiloModelsTests
{
    [Fact]
    public async Task LoadAsync_IdOfAnotherContent_IsRefusedAndUnmapped()
    {
        var folder = Path.Combine(Repository.Root, "models", OneSilo.Model);
        var cancellationToken = TestContext.Current.CancellationToken;
        var specs = new ModelSpecStore(new InMemoryObjectStore(TimeProvider.System));
        await using var engine = new DeviceEngine(new EngineOptions { Threads = 1 }, TimeProvider.System, NullLogger.Instance);
        var first = new SiloModels(engine, specs, new ModelLoadOptions(), NullLogger<SiloModels>.Instance);
        await first.LoadAsync("taken", folder, "float32", cancellationToken);
        var mapped = Mappings(folder);
        var second = new SiloModels(engine, specs, new ModelLoadOptions(), NullLogger<SiloModels>.Instance);

        var refused = await Assert.ThrowsAsync<GranaryException>(() => second.LoadAsync("taken", folder, "bfloat16", cancellationToken));

        Assert.Equal(ErrorCodes.ModelSpecConflict, refused.Code);
        Assert.Empty(second.Ids);
        Assert.Equal(mapped, Mappings(folder));
    }

    private static int Mappings(string folder) => File.ReadLines("/proc/self/maps").Count(line => line.Contains(folder, StringComparison.Ordinal));
}
