namespace Granary.Client.Connection;

/// <summary>Tries the first connection again until its time is over.</summary>
/// <param name="limit">How long.</param>
/// <param name="time">The clock.</param>
internal sealed class BoundedConnectionRetry(TimeSpan limit, TimeProvider time) : IClientConnectionRetryFilter
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private readonly long _start = time.GetTimestamp();

    /// <inheritdoc/>
    public async Task<bool> ShouldRetryConnectionAttempt(Exception exception, CancellationToken cancellationToken)
    {
        if (time.GetElapsedTime(_start) + Pause > limit)
        {
            return false;
        }

        await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
        return true;
    }
}
