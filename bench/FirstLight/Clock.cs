namespace Granary.Bench.FirstLight;

/// <summary>Wall time of a piece of work, as its caller sees it.</summary>
internal static class Clock
{
    /// <summary>Times a piece of work.</summary>
    /// <returns>Seconds.</returns>
    public static async Task<double> TimeAsync(Func<Task> act)
    {
        var started = TimeProvider.System.GetTimestamp();
        await act();
        return TimeProvider.System.GetElapsedTime(started).TotalSeconds;
    }
}
