using Granary.Client.Calls;
using Granary.Naming;
using Granary.Stores;

namespace Granary.Client.Stores;

/// <summary>A tenant's store, behind its grain.</summary>
/// <remarks>A check or sweep whose silo died is begun anew: each deletes or commits on the version that it read only, so that what one has done is nothing to do for the next.</remarks>
internal sealed class GranaryStore(IGrainFactory grains, GrainCalls calls, string tenant) : IGranaryStore
{
    private readonly ISweepGrain _grain = grains.Find<ISweepGrain>(tenant);

    /// <inheritdoc/>
    public IAsyncEnumerable<StoreCheckStatus> CheckAsync(bool repair, CancellationToken cancellationToken) =>
        ForwardProgress.ReadAsync(calls, token => _grain.CheckAsync(repair, token), static status => PlaceOf(status.Done, status.Result), cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<StoreSweepStatus> SweepAsync(StoreSweepRequest request, CancellationToken cancellationToken) =>
        ForwardProgress.ReadAsync(calls, token => _grain.SweepAsync(request, token), static status => PlaceOf(status.Done, status.Result), cancellationToken);

    private static (int Stage, int Done)? PlaceOf(int done, object? result) => result is null ? (0, done) : null;
}
