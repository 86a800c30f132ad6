using Granary.Errors;
using Granary.Stores;

namespace Granary.Client;

/// <summary>What the store holds of a tenant, looked after by the cluster.</summary>
/// <remarks>
/// Where the silo that does it dies, it is begun anew elsewhere, and the result is that of the one that ended: what the other had taken away is not in it. While one runs with other
/// options, it is waited for as for a silo that does not answer. Streams throw while they are enumerated.
/// </remarks>
public interface IGranaryStore
{
    /// <summary>Reads everything and checks it ahead of its use.</summary>
    /// <param name="repair">Whether a bad chunk is taken away, so that the next use computes it anew. Contexts are never lost by it: their token ids are kept.</param>
    /// <param name="cancellationToken">Leaves; the last caller leaving ends the check.</param>
    /// <returns>Progress; the last element has the result.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.Unavailable"/>: a check with the other <paramref name="repair"/> goes on; wait until it has ended.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    IAsyncEnumerable<StoreCheckStatus> CheckAsync(bool repair = false, CancellationToken cancellationToken = default);

    /// <summary>Expires contexts and deletes what no context names any more; with <see cref="StoreSweepRequest.DryRun"/> it only tells what there is.</summary>
    /// <param name="request">How.</param>
    /// <param name="cancellationToken">Leaves; the last caller leaving ends the sweep. What has gone stays gone.</param>
    /// <returns>Progress; the last element has the result.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.InvalidArgument"/>: give a grace of zero or more, and at least one delete a second.
    /// <see cref="ErrorCodes.Unavailable"/>: a sweep with other options goes on; wait until it has ended.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    IAsyncEnumerable<StoreSweepStatus> SweepAsync(StoreSweepRequest request, CancellationToken cancellationToken = default);
}
