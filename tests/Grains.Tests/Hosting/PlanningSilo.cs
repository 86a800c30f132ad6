using System.Buffers;
using Granary.Grains.Planning;
using Granary.Storage.Objects;

namespace Granary.Grains.Tests.Hosting;

/// <summary>A silo that plans, on a store in memory which counts the calls for chunks.</summary>
public sealed class PlanningSilo : OneSilo
{
    private readonly CountingStore _store = new(new InMemoryObjectStore(TimeProvider.System));

    public override IObjectStore Store => _store;

    /// <summary>Gets how many calls for chunks there were.</summary>
    public int ChunkCalls => _store.ChunkCalls;

    internal PrefixPlanner Planner => Service<PrefixPlanner>();

    protected override string Plan => "auto";

    private sealed class CountingStore(IObjectStore inner) : IObjectStore
    {
        private int _chunkCalls;

        public int ChunkCalls => Volatile.Read(ref _chunkCalls);

        public string Description => inner.Description;

        public Task<ObjectVersion> PutAsync(string key, ReadOnlySequence<byte> content, Precondition precondition, CancellationToken cancellationToken) =>
            inner.PutAsync(key, content, precondition, cancellationToken);

        public Task<StoredObject?> FindAsync(string key, CancellationToken cancellationToken) => inner.FindAsync(key, cancellationToken);

        public Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken)
        {
            Count(key);
            return inner.HeadAsync(key, cancellationToken);
        }

        public Task<ObjectVersion?> ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken)
        {
            Count(key);
            return inner.ReadAsync(key, offset, destination, cancellationToken);
        }

        public Task<bool> TouchAsync(string key, CancellationToken cancellationToken) => inner.TouchAsync(key, cancellationToken);

        public Task<bool> DeleteAsync(string key, Precondition precondition, CancellationToken cancellationToken) => inner.DeleteAsync(key, precondition, cancellationToken);

        public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellationToken) => inner.ListAsync(prefix, cancellationToken);

        private void Count(string key)
        {
            if (key.StartsWith("chunks/", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref _chunkCalls);
            }
        }
    }
}
