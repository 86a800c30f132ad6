using System.Buffers;
using Granary.Storage.Chunks;
using Granary.Storage.Objects;

namespace Granary.Storage.Tests.Chunks;

/// <summary>Counts what the whole process allocates, so no other test may run beside it.</summary>
[Collection(nameof(ChunkCopyTests))]
[CollectionDefinition(nameof(ChunkCopyTests), DisableParallelization = true)]
public sealed class ChunkCopyTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("granary-chunks-");

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task WriteAsync_MemoryIsNative_IsNotCopiedByTheStoreOfChunks()
    {
        using var memory = new NativeMemory(64 * 1024 * 1024);
        var shape = new ChunkShape(8, 32, 64, "float32");
        var page = Pages.Of(512, 512, shape: shape)[0];
        Assert.Equal(memory.Memory.Length, page.KvBytes);
        memory.Memory.Span[12345] = 67;
        var chunks = new ChunkStore(new FolderObjectStore(_folder.FullName, TimeProvider.System));
        await chunks.WriteAsync(page with { Tenant = "warm" }, memory.Memory, Stopping);
        var before = GC.GetTotalAllocatedBytes(precise: true);

        var written = await chunks.WriteAsync(page, memory.Memory, Stopping);
        memory.Memory.Span.Clear();
        var read = await chunks.ReadAsync(page, written.Checksum, memory.Memory, Stopping);

        Assert.Null(read.Fault);
        Assert.Equal(67, memory.Memory.Span[12345]);
        // A copy of the KV would be 64 MiB.
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, 8L << 20);
    }

    private sealed unsafe class NativeMemory(int length) : MemoryManager<byte>
    {
        private readonly byte* _pointer = (byte*)System.Runtime.InteropServices.NativeMemory.AllocZeroed((nuint)length);

        public override Span<byte> GetSpan() => new(_pointer, length);

        public override MemoryHandle Pin(int elementIndex = 0) => new(_pointer + elementIndex);

        public override void Unpin()
        {
            // Native memory does not move.
        }

        protected override void Dispose(bool disposing) => System.Runtime.InteropServices.NativeMemory.Free(_pointer);
    }
}
