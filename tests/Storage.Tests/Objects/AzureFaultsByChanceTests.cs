using Granary.Storage.Objects;
using Granary.Testing.Proxies;
using Granary.Testing.Servers;

namespace Granary.Storage.Tests.Objects;

/// <summary>The whole contract once more, where one request in five meets a fault: lost answers, delays, 429, 500, 503, resets.</summary>
public sealed class AzureFaultsByChanceTests(AzuriteServer azurite) : ObjectStoreContract, IClassFixture<AzuriteServer>, IAsyncDisposable
{
    private FaultyProxy? _proxy;
    private IObjectStore? _store;

    protected override IObjectStore Store => _store ??= Open();

    public async ValueTask DisposeAsync()
    {
        if (_proxy is not null)
        {
            await _proxy.DisposeAsync();
        }
    }

    private IObjectStore Open()
    {
        var name = TestContext.Current.TestCase!.TestCaseDisplayName;
        _proxy = new FaultyProxy(azurite.Port) { Faults = new SeededFaults(name.Sum(static c => c), share: 0.2) }; // other faults in each test, the same in each run
        return ObjectStores.Open($"{AzuriteServer.ConnectionStringBy(_proxy.Port)}Container=t{Guid.NewGuid():N}", TimeProvider.System);
    }
}
