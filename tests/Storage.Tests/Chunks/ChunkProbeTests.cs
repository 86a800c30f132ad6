using System.Buffers;
using Granary.Storage.Chunks;
using Granary.Storage.Objects;
using Granary.Storage.Tests.Objects;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Storage.Tests.Chunks;

public sealed class ChunkProbeTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly InMemoryObjectStore _objects;

    public ChunkProbeTests() => _objects = new InMemoryObjectStore(_time);

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task RunAsync_NoChunk_MeasuresNothing()
    {
        await _objects.PutAsync("contexts/a/b/c.json", new ReadOnlySequence<byte>(new byte[10]), Precondition.None, Stopping);
        Assert.Null(await new ChunkProbe(_objects, _time).RunAsync(Stopping));
    }

    [Fact]
    public async Task RunAsync_StoreOfAKnownSpeed_MeasuresTwoRoundTripsAndTheBytes()
    {
        var chunk = Pages.Of(8)[0];
        await new ChunkStore(_objects).WriteAsync(chunk, Pages.Kv(chunk), Stopping);

        var result = await new ChunkProbe(new TimedStore(_objects, _time, roundTrip: TimeSpan.FromMilliseconds(20), microsecondsPerByte: 10), _time).RunAsync(Stopping);

        Assert.Equal(TimeSpan.FromMilliseconds(40), result!.Wait);
        Assert.Equal(ChunkStore.StoredBytes(chunk), result.Bytes);
        Assert.Equal(result.Bytes * TimeSpan.FromMicroseconds(10), result.Reading);
    }

    [Theory]
    [InlineData(1, 256 << 10)] // a microsecond a byte: 256 KiB take a quarter of a second
    [InlineData(0.01, 4 << 20)]
    public async Task RunAsync_ABigChunk_ReadsOnWhereThatIsQuick(double microsecondsPerByte, int bytes)
    {
        await _objects.PutAsync("chunks/default/a/b/c/d.safetensors", new ReadOnlySequence<byte>(Bytes.Random(1, 5 << 20)), Precondition.None, Stopping);
        var store = new TimedStore(_objects, _time, roundTrip: TimeSpan.FromMilliseconds(1), microsecondsPerByte);

        var result = (await new ChunkProbe(store, _time).RunAsync(Stopping))!;

        Assert.Equal((TimeSpan.FromMilliseconds(2), bytes, TimeSpan.FromMicroseconds(bytes * microsecondsPerByte)), (result.Wait, result.Bytes, result.Reading));
    }

    // Time passes by the work alone.
    private sealed class TimedStore(IObjectStore inner, FakeTimeProvider time, TimeSpan roundTrip, double microsecondsPerByte) : IObjectStore
    {
        public string Description => inner.Description;

        public Task<ObjectVersion> PutAsync(string key, ReadOnlySequence<byte> content, Precondition precondition, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<StoredObject?> FindAsync(string key, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken)
        {
            time.Advance(roundTrip);
            return inner.HeadAsync(key, cancellationToken);
        }

        public Task<ObjectVersion?> ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken)
        {
            time.Advance(roundTrip + TimeSpan.FromMicroseconds(destination.Length * microsecondsPerByte));
            return inner.ReadAsync(key, offset, destination, cancellationToken);
        }

        public Task<bool> TouchAsync(string key, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<bool> DeleteAsync(string key, Precondition precondition, CancellationToken cancellationToken) => throw new NotSupportedException();

        public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellationToken) => inner.ListAsync(prefix, cancellationToken);
    }
}
