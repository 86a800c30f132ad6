namespace Granary.Grains.Contexts;

/// <summary>Says which tokens of an answer travel in one message: those of a model that gives one each millisecond or more. A message for each would take its time from the cores that decode.</summary>
internal sealed class TokenBatching(TimeProvider time)
{
    /// <summary>A token that comes so soon after others have left is held; later ones leave at once.</summary>
    public static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(1);

    /// <summary>From one message of tokens that are held to the next: a third of a screen's frame.</summary>
    public static readonly TimeSpan Apart = TimeSpan.FromMilliseconds(5);

    private long? _left;

    /// <summary>Holds tokens that have come, where others have left just before.</summary>
    /// <param name="finished">The decoding: after it no token comes.</param>
    /// <param name="cancellationToken">Ends the wait, without an error.</param>
    /// <returns>A wait, after which they leave; <see langword="null"/> where they leave at once.</returns>
    public Task? Hold(Task finished, CancellationToken cancellationToken)
    {
        if (_left is { } left && time.GetElapsedTime(left) is var since && since < Soon && !finished.IsCompleted)
        {
            return HoldAsync(Task.WhenAny(finished, Task.Delay(Apart - since, time, cancellationToken)));
        }

        _left = time.GetTimestamp();
        return null;
    }

    private async Task HoldAsync(Task hold)
    {
        await hold;
        _left = time.GetTimestamp();
    }
}
