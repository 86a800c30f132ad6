using Granary.Client;
using Granary.Client.Contexts;
using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Hosting;
using Granary.Inference.Engine;
using Granary.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Granary.Silo.Tests.Embedded;

/// <summary>The embedded mode in a host of the caller's own.</summary>
public sealed class EmbeddedHostTests : IDisposable
{
    private static readonly string SampleModel = Path.Combine(Repository.Root, "models", "ledger-4m");
    private readonly string _store = Directory.CreateTempSubdirectory("granary-embedded-host-").FullName;

    public void Dispose() => Directory.Delete(_store, recursive: true);

    [Fact]
    public async Task AddGranaryEmbedded_ConfigurationAndCode_AreBothHeard()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var builder = BuilderWith(("Granary:Models:configured:Path", SampleModel), ("Granary:Engine:QueueCapacity", "7"), ("Granary:Store", "/replaced/below"));
        builder.AddGranaryEmbedded(options =>
        {
            options.Store = _store;
            options.Models["coded"] = new ModelOptions { Path = SampleModel };
        });
        using var host = builder.Build();
        await host.StartAsync(cancellationToken);

        Assert.Equal(7, host.Services.GetRequiredService<DeviceEngine>().QueueCapacity);
        var client = host.Services.GetRequiredService<IGranaryClient>();
        foreach (var model in new[] { "configured", "coded" })
        {
            await foreach (var _ in client.Context(model, "c").CreateAsync(new CreateContextRequest { Input = TokenInput.OfText("The miller of Wesby is Nils.") }, cancellationToken))
            {
            }

            var answer = await client.Context(model, "c").AskToEndAsync(
                new AskRequest { Prompt = TokenInput.OfText(" The miller is"), Options = new GenerationOptions { MaxNewTokens = 2, IgnoreEos = true } }, cancellationToken);
            Assert.Equal(2, answer.TokenIds.Length);
        }

        Assert.NotEmpty(Directory.GetFileSystemEntries(_store));
        await host.StopAsync(cancellationToken);
    }

    [Fact]
    public void AddGranaryEmbedded_WrongSettings_AreRefusedAtOnceByName()
    {
        var error = Assert.Throws<GranaryException>(() => BuilderWith(("Granary:Engine:Threads", "0")).AddGranaryEmbedded(options => (options.Store, options.Engine.QueueCapacity) = (_store, 0)));

        Assert.Equal(ErrorCodes.InvalidArgument, error.Code);
        Assert.Contains("Granary:Engine:Threads", error.Message, StringComparison.Ordinal);
        Assert.Contains("Granary:Engine:QueueCapacity", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AddGranaryEmbedded_NumberThatIsNone_IsRefusedByName()
    {
        var error = Assert.Throws<GranaryException>(() => BuilderWith(("Granary:Engine:Threads", "many")).AddGranaryEmbedded());

        Assert.Equal(ErrorCodes.InvalidArgument, error.Code);
        Assert.Contains("Granary:Engine:Threads", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StartAsync_ModelIsMissing_ThrowsTheErrorThatNamesIt()
    {
        var builder = BuilderWith();
        builder.AddGranaryEmbedded(options =>
        {
            options.Store = _store;
            options.Models["gone"] = new ModelOptions { Path = "/no/such/folder" };
        });
        using var host = builder.Build();

        var error = await Assert.ThrowsAsync<GranaryException>(() => host.StartAsync(TestContext.Current.CancellationToken));
        Assert.Equal(ErrorCodes.ModelNotFound, error.Code);
    }

    private static HostApplicationBuilder BuilderWith(params (string Name, string Value)[] settings)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Name, (string?)setting.Value)));
        return builder;
    }
}
