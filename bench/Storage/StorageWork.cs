using Granary.Inference.Benchmarks;
using Granary.Inference.Pages;
using Granary.Storage.Chunks;
using Granary.Storage.Objects;

namespace Granary.Bench.Storage;

/// <summary>Chunks of a folder store against plain files, one file a page on both sides.</summary>
internal sealed class StorageWork : IDisposable
{
    /// <summary>The tokens whose KV is written and read.</summary>
    public const int Tokens = 2048;

    private const int Seed = 1;
    private static readonly string Fingerprint = new('0', 64);
    private static readonly string Numerics = new('0', 32);
    private readonly string _root;
    private readonly string _plain;
    private readonly ChunkStore _chunks;
    private readonly KvLayout _layout;
    private readonly int[] _tokenIds = [.. Enumerable.Range(0, Tokens)];
    private readonly byte[][] _pages;
    private readonly byte[][] _buffers;
    private ChunkIdentity[] _stored = [];
    private int _writes;

    public StorageWork(string folder, KvLayout layout)
    {
        _root = Path.Combine(folder, $"store-{Guid.NewGuid():N}");
        _plain = Path.Combine(_root, ".plain");
        _layout = layout;
        _pages = [.. Enumerable.Range(0, Tokens / layout.PageSize).Select(_ => new byte[layout.PageSize * layout.BytesPerToken])];
        var random = new Random(Seed);
        Array.ForEach(_pages, random.NextBytes); // neither a checksum nor a disk sees zeros
        _chunks = new ChunkStore(new FolderObjectStore(_root, TimeProvider.System));
        Directory.CreateDirectory(_plain);
        _buffers = [.. Name(0).Select(chunk => new byte[ChunkStore.StoredBytes(chunk)])];
        foreach (var buffer in _buffers)
        {
            Array.Fill(buffer, (byte)1); // touched, so that no read pays for fresh memory
        }
    }

    /// <summary>Gets the bytes of all chunks of the sequence: KV, token ids and headers.</summary>
    public long StoredBytes => _buffers.Sum(buffer => (long)buffer.Length);

    /// <summary>Writes all pages as new chunks, durably; then takes those of the write before away, untimed.</summary>
    public async Task<double> WriteAsync(CancellationToken cancellationToken)
    {
        var chain = Name(++_writes);
        var seconds = await Clock.TimeAsync(async () =>
        {
            for (var index = 0; index < chain.Length; index++)
            {
                var write = await _chunks.WriteAsync(chain[index], _pages[index], cancellationToken);
                Check(!write.Existed, $"The chunk {chain[index].Key} existed before it was written.");
            }
        });
        foreach (var chunk in _stored)
        {
            File.Delete(Path.Combine(_root, chunk.Key));
        }

        _stored = chain;
        return seconds;
    }

    /// <summary>Writes as many bytes to as many new files and syncs each.</summary>
    public Task<double> WritePlainAsync() => OnPool(() =>
    {
        for (var index = 0; index < _buffers.Length; index++)
        {
            using var file = File.OpenHandle(
                Path.Combine(_plain, $"{index}"), FileMode.Create, FileAccess.Write, FileShare.None, FileOptions.None, preallocationSize: _buffers[index].Length);
            RandomAccess.Write(file, _buffers[index], 0);
            RandomAccess.FlushToDisk(file);
        }
    });

    /// <summary>Takes the plain files away: the next write makes new ones.</summary>
    public void ForgetPlain()
    {
        foreach (var path in Directory.GetFiles(_plain))
        {
            File.Delete(path);
        }
    }

    /// <summary>Reads the chunks written last into the pages, and checks them.</summary>
    public Task<double> RestoreAsync(CancellationToken cancellationToken) => Clock.TimeAsync(async () =>
    {
        for (var index = 0; index < _stored.Length; index++)
        {
            var read = await _chunks.ReadAsync(_stored[index], null, _pages[index], cancellationToken);
            Check(read.Fault is null, $"The chunk {_stored[index].Key} was read with the fault {read.Fault}.");
        }
    });

    /// <summary>Reads the same files, whole and unchecked, into memory that exists.</summary>
    public Task<double> ReadPlainAsync() => OnPool(() =>
    {
        for (var index = 0; index < _stored.Length; index++)
        {
            using var file = File.OpenHandle(Path.Combine(_root, _stored[index].Key));
            var buffer = _buffers[index].AsSpan();
            while (buffer.Length > 0)
            {
                var read = RandomAccess.Read(file, buffer, _buffers[index].Length - buffer.Length);
                Check(read > 0, $"The file of {_stored[index].Key} is shorter than its chunk.");
                buffer = buffer[read..];
            }
        }
    });

    public void Dispose() => Directory.Delete(_root, recursive: true);

    // The salt makes every write a new chain of new chunks.
    private ChunkIdentity[] Name(int salt)
    {
        var shape = new ChunkShape(_layout.Layers, _layout.KvHeads, _layout.HeadDim, _layout.Dtype.Name());
        return ChunkChain.Of(BitConverter.GetBytes(salt), Fingerprint, Numerics, _tokenIds, _layout.PageSize, "shared", shape);
    }

    private static Task<double> OnPool(Action act) => Clock.TimeAsync(() => Task.Run(act));

    // A time of work that was not done would be no time.
    private static void Check(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new InvalidOperationException(otherwise);
        }
    }
}
