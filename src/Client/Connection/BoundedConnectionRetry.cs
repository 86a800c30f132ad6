using Granary.Errors;

namespace Granary.Client.Connection;

/// <summary>Tries the first connection again until its time is over, and says then what a caller can do. Orleans asks it after each failure of a start, whatever failed: a gateway, Redis, the manifest.</summary>
/// <param name="options">Which cluster, and for how long.</param>
/// <param name="time">The clock.</param>
internal sealed class BoundedConnectionRetry(GranaryClientOptions options, TimeProvider time) : IClientConnectionRetryFilter
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private readonly long _start = time.GetTimestamp();

    /// <inheritdoc/>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.Unavailable"/>: the time is over. Thrown in place of <see langword="false"/>, with which Orleans would throw what failed last, as it is.</exception>
    public async Task<bool> ShouldRetryConnectionAttempt(Exception exception, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (time.GetElapsedTime(_start) + Pause > options.ConnectTimeout)
        {
            throw new GranaryException(
                ErrorCodes.Unavailable,
                $"No silo of the cluster '{options.Cluster}' answered within {options.ConnectTimeout.TotalSeconds:0.#} s ({exception.GetType().Name}: {exception.Message})",
                "Start a silo with `granary serve`, or correct the cluster's address.",
                exception);
        }

        await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
        return true;
    }
}
