using Microsoft.Extensions.Time.Testing;

namespace Granary.Client.Tests.Calls;

/// <summary>Moves a clock on while calls wait for it.</summary>
internal static class Driving
{
    /// <summary>Reads a stream to its end; each pause between tries is due once the clock moves on.</summary>
    /// <typeparam name="T">The element.</typeparam>
    /// <param name="time">The clock.</param>
    /// <param name="stream">The stream.</param>
    /// <returns>Its elements.</returns>
    public static async Task<List<T>> ReadAllAsync<T>(this FakeTimeProvider time, IAsyncEnumerable<T> stream)
    {
        var read = stream.ToListAsync(CancellationToken.None).AsTask();
        while (!read.IsCompleted)
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System); // lets what has become due run, on a busy machine too
        }

        return await read;
    }
}
