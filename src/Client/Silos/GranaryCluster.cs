using System.Runtime.CompilerServices;
using Granary.Client.Calls;
using Granary.Errors;
using Granary.Naming;
using Granary.Silos;

namespace Granary.Client.Silos;

/// <summary>The cluster, behind its grain.</summary>
/// <remarks>A drain is asked for once and then polled: the silo that answers may be the one that leaves.</remarks>
internal sealed class GranaryCluster(IGrainFactory grains, GrainCalls calls, TimeProvider time) : IGranaryCluster
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);
    private readonly IClusterGrain _grain = grains.Find<IClusterGrain>(IClusterGrain.Key);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<SiloDescription>> ListSilosAsync(CancellationToken cancellationToken) =>
        await calls.CallAsync(_grain.ListSilosAsync, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async IAsyncEnumerable<DrainProgress> DrainAsync(string silo, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var known = await calls.CallAsync(() => _grain.DrainSiloAsync(silo), cancellationToken).ConfigureAwait(false);
        for (var now = known; now is not null; now = await FindAsync(known, cancellationToken).ConfigureAwait(false))
        {
            known = now;
            yield return new DrainProgress(known.Silo, known.State, known.Contexts, known.Streams, time.GetElapsedTime(started));
            await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
        }

        yield return new DrainProgress(known.Silo, SiloStates.Stopped, 0, 0, time.GetElapsedTime(started));
    }

    private async Task<SiloDescription?> FindAsync(SiloDescription known, CancellationToken cancellationToken)
    {
        try
        {
            return (await ListSilosAsync(cancellationToken).ConfigureAwait(false)).FirstOrDefault(silo => silo.Address == known.Address);
        }
        catch (GranaryException e) when (e.Code == ErrorCodes.Unavailable && known.State == SiloStates.Drained)
        {
            return null; // it was the last silo, or the only one that this client knew
        }
    }
}
