using Granary.Storage.Errors;
using Granary.Storage.Objects;

namespace Granary.Storage.Chunks;

/// <summary>Measures how fast a store gives chunks, by reading the start of one that is there; nothing is written.</summary>
/// <param name="store">The store.</param>
/// <param name="time">The clock.</param>
public sealed class ChunkProbe(IObjectStore store, TimeProvider time)
{
    // Enough for a slow line; what comes quickly is read on, for a short read says little of a long one.
    private const int FirstBytes = 256 << 10;
    private const int MostBytes = 4 << 20;
    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(20);

    // Of a read, its bytes take at least this: the wait before it may have been longer than its own.
    private const double LeastShare = 0.05;

    /// <summary>Measures.</summary>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>What was measured, or <see langword="null"/> where the store has no chunk.</returns>
    /// <exception cref="StorageException"><c>StoreUnavailable</c>: the store does not answer; see its message.</exception>
    public async Task<ChunkProbeResult?> RunAsync(CancellationToken cancellationToken)
    {
        await foreach (var chunk in store.ListAsync(ChunkIdentity.AllPrefix, cancellationToken).ConfigureAwait(false))
        {
            // The first opens the connection.
            var buffer = new byte[Math.Min(FirstBytes, chunk.Length)];
            if (buffer.Length == 0 || await store.HeadAsync(chunk.Key, cancellationToken).ConfigureAwait(false) is null)
            {
                continue;
            }

            var started = time.GetTimestamp();
            if (await store.HeadAsync(chunk.Key, cancellationToken).ConfigureAwait(false) is null)
            {
                continue;
            }

            var roundTrip = time.GetElapsedTime(started);
            if (await TimeReadAsync(chunk.Key, buffer, cancellationToken).ConfigureAwait(false) is not { } read)
            {
                continue;
            }

            if (read < Quick && chunk.Length > buffer.Length)
            {
                var longer = new byte[Math.Min(MostBytes, chunk.Length)];
                if (await TimeReadAsync(chunk.Key, longer, cancellationToken).ConfigureAwait(false) is { } second)
                {
                    (buffer, read) = (longer, second);
                }
            }

            var reading = TimeSpan.FromTicks((long)Math.Max((read - roundTrip).Ticks, read.Ticks * LeastShare));
            return new(2 * roundTrip, buffer.Length, reading); // a chunk is read in two round trips: its length, then its bytes
        }

        return null;
    }

    // None where the chunk is gone, or was replaced by a shorter one.
    private async Task<TimeSpan?> TimeReadAsync(string key, byte[] buffer, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        try
        {
            return await store.ReadAsync(key, 0, buffer, cancellationToken).ConfigureAwait(false) is null ? null : time.GetElapsedTime(started);
        }
        catch (EndOfStreamException)
        {
            return null;
        }
    }
}

/// <summary>What a probe measured.</summary>
/// <param name="Wait">The time before a chunk's first byte.</param>
/// <param name="Bytes">What was read, above 0.</param>
/// <param name="Reading">The time of these bytes, without the wait.</param>
public sealed record ChunkProbeResult(TimeSpan Wait, long Bytes, TimeSpan Reading);
