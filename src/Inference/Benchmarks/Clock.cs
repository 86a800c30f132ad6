namespace Granary.Inference.Benchmarks;

/// <summary>Wall time of a piece of work, as its caller sees it.</summary>
public static class Clock
{
    /// <summary>Times a piece of work.</summary>
    /// <param name="act">The work.</param>
    /// <returns>Seconds.</returns>
    public static async Task<double> TimeAsync(Func<Task> act)
    {
        var started = TimeProvider.System.GetTimestamp();
        await act().ConfigureAwait(false);
        return TimeProvider.System.GetElapsedTime(started).TotalSeconds;
    }
}
