using System.Buffers;
using Granary.Storage.Objects;

namespace Granary.Bench.Plan;

/// <summary>A store behind a slow line: each call waits, and all that is read or written shares one bandwidth.</summary>
internal sealed class SlowedStore(IObjectStore inner, TimeSpan delay, double? bytesPerSecond) : IObjectStore
{
    private readonly Lock _gate = new();
    private long _free = TimeProvider.System.GetTimestamp();

    public string Description => inner.Description;

    public async Task<ObjectVersion> PutAsync(string key, ReadOnlySequence<byte> content, Precondition precondition, CancellationToken cancellationToken)
    {
        await WaitAsync(content.Length, cancellationToken);
        return await inner.PutAsync(key, content, precondition, cancellationToken);
    }

    public async Task<StoredObject?> FindAsync(string key, CancellationToken cancellationToken)
    {
        await WaitAsync(0, cancellationToken);
        return await inner.FindAsync(key, cancellationToken);
    }

    public async Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken)
    {
        await WaitAsync(0, cancellationToken);
        return await inner.HeadAsync(key, cancellationToken);
    }

    public async Task<ObjectVersion?> ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        await WaitAsync(destination.Length, cancellationToken);
        return await inner.ReadAsync(key, offset, destination, cancellationToken);
    }

    public async Task<bool> TouchAsync(string key, CancellationToken cancellationToken)
    {
        await WaitAsync(0, cancellationToken);
        return await inner.TouchAsync(key, cancellationToken);
    }

    public async Task<bool> DeleteAsync(string key, Precondition precondition, CancellationToken cancellationToken)
    {
        await WaitAsync(0, cancellationToken);
        return await inner.DeleteAsync(key, precondition, cancellationToken);
    }

    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellationToken) => inner.ListAsync(prefix, cancellationToken);

    private async Task WaitAsync(long bytes, CancellationToken cancellationToken)
    {
        var time = TimeProvider.System;
        var now = time.GetTimestamp();
        var transfer = bytesPerSecond is { } rate ? (long)(bytes / rate * time.TimestampFrequency) : 0;
        long end;
        lock (_gate)
        {
            _free = Math.Max(_free, now) + transfer; // one line: who comes later is served later
            end = _free;
        }

        var wait = delay + time.GetElapsedTime(now, end);
        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait, time, cancellationToken);
        }
    }
}
