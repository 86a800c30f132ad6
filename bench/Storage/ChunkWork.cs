using Granary.Inference.Benchmarks;
using Granary.Storage.Chunks;
using Granary.Storage.Objects;

namespace Granary.Bench.Storage;

/// <summary>Ours: pages as chunks of a store, as many at a time as a silo has under way.</summary>
internal sealed class ChunkWork(IObjectStore store, SamplePages pages)
{
    private const int AtATime = 4; // ResidencyOptions.ConcurrentWrites, and what a restore reads ahead

    private readonly ChunkStore _chunks = new(store);
    private readonly string?[] _checksums = new string?[pages.Kv.Length];
    private ChunkIdentity[] _stored = [];

    /// <summary>Writes all pages as new chunks.</summary>
    public Task<double> SaveAsync(CancellationToken cancellationToken)
    {
        _stored = pages.NameAnew();
        return TimeAllAsync(
            async (index, stopping) =>
            {
                var write = await _chunks.WriteAsync(_stored[index], pages.Kv[index], stopping);
                _checksums[index] = write.Checksum;
                Check(!write.Existed, $"The chunk {_stored[index].Key} existed before it was written.");
            },
            cancellationToken);
    }

    /// <summary>Reads the chunks written last into the pages, with all checks.</summary>
    public Task<double> LoadAsync(CancellationToken cancellationToken) => TimeAllAsync(
        async (index, stopping) =>
        {
            var read = await _chunks.ReadAsync(_stored[index], _checksums[index], pages.Kv[index], stopping);
            Check(read.Fault is null, $"The chunk {_stored[index].Key} was read with the fault {read.Fault}.");
        },
        cancellationToken);

    /// <summary>Takes the chunks written last away, untimed.</summary>
    public async Task ForgetAsync(CancellationToken cancellationToken)
    {
        foreach (var chunk in _stored)
        {
            await store.DeleteAsync(chunk.Key, Precondition.None, cancellationToken);
        }
    }

    private Task<double> TimeAllAsync(Func<int, CancellationToken, ValueTask> act, CancellationToken cancellationToken) => Clock.TimeAsync(() => Parallel.ForAsync(
        0, pages.Kv.Length, new ParallelOptions { MaxDegreeOfParallelism = AtATime, CancellationToken = cancellationToken }, act));

    // A time of work that was not done would be no time.
    private static void Check(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new InvalidOperationException(otherwise);
        }
    }
}
