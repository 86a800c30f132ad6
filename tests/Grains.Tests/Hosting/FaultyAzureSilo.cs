using Granary.Grains.Contexts;
using Granary.Storage.Objects;
using Granary.Testing.Proxies;
using Granary.Testing.Servers;

namespace Granary.Grains.Tests.Hosting;

/// <summary>A silo on Azurite behind a proxy, some of whose tenants share; it keeps long ids in blobs.</summary>
public sealed class FaultyAzureSilo : OneSilo
{
    private readonly AzuriteServer _server = new();
    private FaultyProxy? _proxy;
    private IObjectStore? _store;

    /// <summary>Gets the store by way of the proxy.</summary>
    public override IObjectStore Store => _store ?? base.Store;

    /// <summary>Gets the store itself.</summary>
    public IObjectStore Steady { get; private set; } = new InMemoryObjectStore(TimeProvider.System);

    /// <summary>Gets or sets the faults by chance.</summary>
    public SeededFaults? Faults
    {
        get => _proxy?.Faults;
        set => _proxy!.Faults = value;
    }

    protected override int MostInlineTokenIds => 256;

    protected override void Configure(SharingOptions options) => options.Tenants = ["acme", "beta"];

    public override async ValueTask InitializeAsync()
    {
        if (AzuriteServer.FindExecutable() is not null)
        {
            await _server.InitializeAsync();
            _proxy = new FaultyProxy(_server.Port);
            _store = ObjectStores.Open($"{AzuriteServer.ConnectionStringBy(_proxy.Port)}Container=race", TimeProvider.System);
            Steady = ObjectStores.Open($"{_server.ConnectionString}Container=race", TimeProvider.System);
        }

        await base.InitializeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_proxy is not null)
        {
            await _proxy.DisposeAsync();
        }

        await _server.DisposeAsync();
    }
}
