using Granary.Storage.Chunks;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Storage.Tests.Chunks;
using Granary.Storage.Tests.Maintenance;
using Granary.Testing.Fuzzing;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Storage.Tests.Fuzzing;

/// <summary>What is stored, edited: nothing that differs by a byte is accepted.</summary>
[Trait("Invariant", "1")]
public sealed class StoredFuzzTests
{
    private readonly InMemoryObjectStore _objects = new(new FakeTimeProvider());

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Manifest_AnyEdit_IsRefusedByName()
    {
        var contexts = new StoredContexts(_objects, TimeProvider.System);
        await contexts.CreateAsync("c", [.. Enumerable.Range(1, 20)], Stopping);
        var key = ManifestStore.KeyOf(StoredContexts.Tenant, StoredContexts.Model, "c");
        var real = (await _objects.FindAsync(key, Stopping))!.Content;

        Fuzz.Run(
            real,
            content =>
            {
                Put(key, content);
                Ended(contexts.Manifests.FindAsync(StoredContexts.Tenant, StoredContexts.Model, "c", Stopping));
                Assert.True(content.AsSpan().SequenceEqual(real), "An edited manifest was accepted.");
            },
            static e => e is StorageException { Code: "ManifestInvalid", Remedy.Length: > 0 },
            bytesForByte: 64);
    }

    [Fact]
    public async Task TokenBlob_AnyEdit_IsRefusedByName()
    {
        var contexts = new StoredContexts(_objects, TimeProvider.System, mostInlineTokenIds: 8);
        int[] ids = [.. Enumerable.Range(1, 20)];
        await contexts.CreateAsync("c", ids, Stopping);
        var key = TokenBlobStore.KeyOf(StoredContexts.Tenant, TokenBlobStore.NameOf(ids).Hash);
        var real = (await _objects.FindAsync(key, Stopping))!.Content;

        Fuzz.Run(
            real,
            content =>
            {
                Put(key, content);
                Ended(contexts.Manifests.FindAsync(StoredContexts.Tenant, StoredContexts.Model, "c", Stopping));
                Assert.True(content.AsSpan().SequenceEqual(real), "An edited blob was accepted.");
            },
            static e => e is StorageException { Code: "ManifestInvalid", Remedy.Length: > 0 },
            bytesForByte: 64);
    }

    [Fact]
    public async Task Chunk_AnyEdit_IsAFault()
    {
        var chunk = Pages.Of(8)[0];
        var chunks = new ChunkStore(_objects);
        await chunks.WriteAsync(chunk, Pages.Kv(chunk), Stopping);
        var real = (await _objects.FindAsync(chunk.Key, Stopping))!.Content;
        var kv = new byte[chunk.KvBytes];

        Fuzz.Run(
            real,
            content =>
            {
                Put(chunk.Key, content);
                var fault = Ended(chunks.ReadAsync(chunk, null, kv, Stopping)).Fault;
                Assert.Equal(content.AsSpan().SequenceEqual(real), fault is null);
            },
            static _ => false, // a fault, no exception
            bytesForByte: 64);
    }

    [Fact]
    public async Task ChunkInspector_AnyEdit_IsAFaultOrSaysThatItIsAnotherChunk()
    {
        var chunk = Pages.Of(8)[0];
        await new ChunkStore(_objects).WriteAsync(chunk, Pages.Kv(chunk), Stopping);
        var real = (await _objects.FindAsync(chunk.Key, Stopping))!.Content;
        var inspector = new ChunkInspector(_objects);

        Fuzz.Run(
            real,
            content =>
            {
                Put(chunk.Key, content);
                var found = Ended(inspector.InspectAsync(Ended(_objects.HeadAsync(chunk.Key, Stopping))!, Stopping));
                // Whose weights it is for and where it starts, a chunk may say what it will: the check compares that with the manifest's.
                var isOther = found.Identity is { } stated && (stated.Fingerprint, stated.Numerics, stated.Start) != (chunk.Fingerprint, chunk.Numerics, chunk.Start);
                Assert.Equal(content.AsSpan().SequenceEqual(real) || isOther, found.Fault is null);
            },
            static _ => false,
            bytesForByte: 64);
    }

    private void Put(string key, byte[] content) => Ended(_objects.PutAsync(key, new(content), Precondition.None, Stopping));

    // A store in memory answers at once: all of it runs on this thread, whose allocations are counted.
    private static T Ended<T>(Task<T> task) => task.IsCompleted ? task.GetAwaiter().GetResult() : throw new InvalidOperationException("It went to another thread.");
}
