using Granary.Client.Silos;
using Granary.Errors;
using Granary.Silos;

namespace Granary.Client;

/// <summary>The silos behind a client.</summary>
public interface IGranaryCluster
{
    /// <summary>Lists the active silos.</summary>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>The silos, ordered by name.</returns>
    /// <exception cref="GranaryException">What any call may give (<see cref="IGranaryClient"/>).</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<IReadOnlyList<SiloDescription>> ListSilosAsync(CancellationToken cancellationToken = default);

    /// <summary>Drains a silo: nothing new is placed there, its running streams go on for up to its <c>Granary:Silo:DrainTimeout</c>, then it stops.</summary>
    /// <param name="silo">Its name, or its address.</param>
    /// <param name="cancellationToken">Stops watching. The drain goes on.</param>
    /// <returns>Progress, at once and then four times a second; the last element has the state <see cref="SiloStates.Stopped"/>.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.SiloNotFound"/>: the message lists the silos. <see cref="ErrorCodes.InvalidArgument"/>: several bear the name; give an address.
    /// <see cref="ErrorCodes.Unavailable"/>: it does not answer; try again, one that died is dropped soon.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    IAsyncEnumerable<DrainProgress> DrainAsync(string silo, CancellationToken cancellationToken = default);
}
