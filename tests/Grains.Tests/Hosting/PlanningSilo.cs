using Granary.Grains.Planning;
using Granary.Storage.Objects;
using Granary.Testing.Stores;

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

    private sealed class CountingStore(IObjectStore inner) : DelegatingStore(inner)
    {
        private int _chunkCalls;

        public int ChunkCalls => Volatile.Read(ref _chunkCalls);

        public override Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken)
        {
            Count(key);
            return base.HeadAsync(key, cancellationToken);
        }

        public override Task<ObjectVersion?> ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken)
        {
            Count(key);
            return base.ReadAsync(key, offset, destination, cancellationToken);
        }

        private void Count(string key)
        {
            if (key.StartsWith("chunks/", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref _chunkCalls);
            }
        }
    }
}
