using System.Collections.Concurrent;
using Granary.Errors;
using Granary.Grains.Residency;
using Granary.Storage.Chunks;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Stores;

/// <summary>Keeps tenants within the bytes that they may have in the store.</summary>
/// <remarks>
/// What lies there is listed at most every five minutes, and once more before anything is refused; in between, what this silo writes is added. What other
/// silos write meanwhile is seen with the next listing, and so is what a sweep has taken away. Thread-safe.
/// </remarks>
internal sealed class TenantStorage(ChunkStore chunks, IOptions<TenantsOptions> options, TimeProvider time)
{
    private static readonly TimeSpan MostAge = TimeSpan.FromMinutes(5);

    // No refusal on what may be the past: a sweep may just have made room.
    private static readonly TimeSpan MostAgeOfARefusal = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, Tally> _tallies = new(StringComparer.Ordinal);

    /// <summary>Takes room for what is to be written.</summary>
    /// <param name="context">The context, for the message.</param>
    /// <param name="tenant">Under whose prefix it is written.</param>
    /// <param name="countAsync">Counts the bytes, at most so many; called where there is a bound only.</param>
    /// <param name="cancellationToken">Ends the listing.</param>
    /// <returns>The room; the caller tells it what was written, and disposes it.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.KvBudgetExceeded"/>: the tenant would have more than it may.</exception>
    /// <exception cref="Storage.Errors.StorageException"><c>StoreUnavailable</c>: what it has is not known.</exception>
    public async Task<StoredRoom> TakeAsync(string context, string tenant, Func<ValueTask<long>> countAsync, CancellationToken cancellationToken)
    {
        if (options.Value.Of(tenant).StoredBytes is not { } most)
        {
            return StoredRoom.Unbounded;
        }

        var bytes = await countAsync();
        var tally = _tallies.GetOrAdd(tenant, static _ => new Tally());
        await tally.ListAsync(MostAge, ListAsync, time, cancellationToken);
        if (tally.TryTake(bytes, most))
        {
            return new StoredRoom(tally, bytes);
        }

        await tally.ListAsync(MostAgeOfARefusal, ListAsync, time, cancellationToken);
        return tally.TryTake(bytes, most) ? new StoredRoom(tally, bytes) : throw new GranaryException(
            ErrorCodes.KvBudgetExceeded,
            $"'{context}' would add up to {bytes} bytes of chunks to the {tally.Bytes} that the tenant '{tenant}' has or is writing; it may have {most}.",
            $"Delete contexts and collect their chunks (granary store gc), or raise Granary:Tenants:{tenant}:StoredBytes.");

        Task<long> ListAsync() => chunks.SumBytesAsync(tenant, cancellationToken);
    }

    /// <summary>Counts what is written without room: what was acknowledged, and is not there any more, is written whatever the bound.</summary>
    /// <param name="tenant">Under whose prefix.</param>
    /// <returns>The room, with no bytes in it; told what is written.</returns>
    public StoredRoom Count(string tenant) => _tallies.TryGetValue(tenant, out var tally) ? new StoredRoom(tally, 0) : StoredRoom.Unbounded;

    /// <summary>What a tenant has in the store, as far as this silo knows.</summary>
    internal sealed class Tally
    {
        private readonly SemaphoreSlim _listing = new(1);
        private readonly Lock _gate = new();
        private long? _listed;
        private long _listedAt;
        private long _written; // since the listing began
        private long _taken;

        public long Bytes
        {
            get
            {
                lock (_gate)
                {
                    return (_listed ?? 0) + _written + _taken;
                }
            }
        }

        public async Task ListAsync(TimeSpan mostAge, Func<Task<long>> listAsync, TimeProvider time, CancellationToken cancellationToken)
        {
            await _listing.WaitAsync(cancellationToken);
            try
            {
                if (_listed is not null && time.GetElapsedTime(_listedAt) < mostAge)
                {
                    return;
                }

                long before;
                lock (_gate)
                {
                    before = _written;
                }

                var began = time.GetTimestamp();
                var listed = await listAsync();
                lock (_gate)
                {
                    (_listed, _listedAt) = (listed, began);
                    _written -= before; // what was written meanwhile may be in both: too much rather than too little
                }
            }
            finally
            {
                _listing.Release();
            }
        }

        public bool TryTake(long bytes, long most)
        {
            lock (_gate)
            {
                if (bytes > 0 && (_listed ?? 0) + _written + _taken + bytes > most)
                {
                    return false;
                }

                _taken += bytes;
                return true;
            }
        }

        public void NoteWritten(long written, long ofTaken)
        {
            lock (_gate)
            {
                _written += written;
                _taken -= ofTaken;
            }
        }
    }
}

/// <summary>Room in the store for one creation or addition. Thread-safe.</summary>
/// <param name="tally">The tenant's; <see langword="null"/> where there is no bound.</param>
/// <param name="bytes">The room.</param>
internal sealed class StoredRoom(TenantStorage.Tally? tally, long bytes) : IDisposable
{
    private readonly Lock _gate = new();
    private long _left = bytes;

    /// <summary>Gets the room of who has no bound.</summary>
    public static StoredRoom Unbounded { get; } = new(null, 0);

    /// <summary>Notes a page that was written; one that ends after the room was given back counts, too.</summary>
    /// <param name="written">Its bytes.</param>
    public void NoteWritten(long written) => Move(written, written);

    /// <inheritdoc/>
    public void Dispose() => Move(0, long.MaxValue);

    private void Move(long written, long most)
    {
        if (tally is null)
        {
            return;
        }

        lock (_gate)
        {
            var taken = Math.Min(most, _left);
            _left -= taken;
            tally.NoteWritten(written, taken);
        }
    }
}
