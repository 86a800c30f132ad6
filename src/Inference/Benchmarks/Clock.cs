namespace Granary.Inference.Benchmarks;

/// <summary>Wall time of a piece of work, as its caller sees it.</summary>
public static class Clock
{
    /// <summary>Times a piece of work on the caller's thread.</summary>
    /// <param name="act">The work.</param>
    /// <returns>Seconds.</returns>
    public static double Time(Action act)
    {
        var started = TimeProvider.System.GetTimestamp();
        act();
        return TimeProvider.System.GetElapsedTime(started).TotalSeconds;
    }

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
