using Granary.Errors;
using Granary.Inference.Engine;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Granary.Silo.Tests.Hosting;

/// <summary>What <c>Granary:Engine</c> says is what the engine does, or is refused by name.</summary>
public sealed class EngineSettingsTests : IDisposable
{
    private readonly string _store = Directory.CreateTempSubdirectory("granary-engine-settings-").FullName;

    public void Dispose() => Directory.Delete(_store, recursive: true);

    [Theory]
    [InlineData(null, 1024)]
    [InlineData("7", 7)]
    public async Task QueueCapacity_Bound_ReachesTheEngine(string? set, int capacity)
    {
        var options = Settings(set).GetSection("Granary").Get<GranaryOptions>() ?? throw new InvalidOperationException("Nothing was bound.");
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.AddGranaryEmbedded(options);
        using var host = builder.Build();
        await using var engine = host.Services.GetRequiredService<DeviceEngine>();

        Assert.Equal(capacity, engine.QueueCapacity);
    }

    [Fact]
    public async Task RunAsync_QueueCapacityIsZero_IsRefusedByName()
    {
        var error = await Assert.ThrowsAsync<GranaryException>(() => GranaryHost.RunAsync(Settings("0"), static _ => { }, static _ => { }, TestContext.Current.CancellationToken));

        Assert.Equal(ErrorCodes.InvalidArgument, error.Code);
        Assert.Contains("Granary:Engine:QueueCapacity", error.Message, StringComparison.Ordinal);
    }

    private IConfiguration Settings(string? capacity) => new ConfigurationBuilder()
        .AddInMemoryCollection(new Dictionary<string, string?> { ["Granary:Store"] = _store, ["Granary:Engine:QueueCapacity"] = capacity }.Where(static setting => setting.Value is not null))
        .Build();
}
