namespace Granary.Grains.Contexts;

/// <summary>Says which tokens of an answer travel in one message: those that come quicker than <see cref="LongestHold"/>. A message for each would take its time from the cores that decode.</summary>
internal sealed class TokenBatching(TimeProvider time)
{
    /// <summary>The longest that a token waits for others: a third of a screen's frame.</summary>
    public static readonly TimeSpan LongestHold = TimeSpan.FromMilliseconds(5);

    private long? _left;

    /// <summary>Holds tokens that have come, where others have left just before.</summary>
    /// <param name="finished">The decoding: after it no token comes.</param>
    /// <param name="cancellationToken">Ends the wait, without an error.</param>
    /// <returns>A wait, after which they leave; <see langword="null"/> where they leave at once.</returns>
    public Task? Hold(Task finished, CancellationToken cancellationToken)
    {
        if (_left is { } left && LongestHold - time.GetElapsedTime(left) is { Ticks: > 0 } hold && !finished.IsCompleted)
        {
            return HoldAsync(Task.WhenAny(finished, Task.Delay(hold, time, cancellationToken)));
        }

        _left = time.GetTimestamp();
        return null;
    }

    private async Task HoldAsync(Task hold)
    {
        await hold.ConfigureAwait(false);
        _left = time.GetTimestamp();
    }
}
