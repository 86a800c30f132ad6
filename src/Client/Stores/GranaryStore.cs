using Granary.Client.Calls;
using Granary.Naming;
using Granary.Stores;

namespace Granary.Client.Stores;

/// <summary>A tenant's store, behind its grain.</summary>
internal sealed class GranaryStore(IGrainFactory grains, string tenant) : IGranaryStore
{
    private readonly ISweepGrain _grain = grains.Find<ISweepGrain>(tenant);

    /// <inheritdoc/>
    public IAsyncEnumerable<StoreCheckStatus> CheckAsync(bool repair, CancellationToken cancellationToken) =>
        GrainCalls.StreamAsync(token => _grain.CheckAsync(repair, token), cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<StoreSweepStatus> SweepAsync(StoreSweepRequest request, CancellationToken cancellationToken) =>
        GrainCalls.StreamAsync(token => _grain.SweepAsync(request, token), cancellationToken);
}
