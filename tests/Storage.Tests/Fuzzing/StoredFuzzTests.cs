using Granary.Storage.Chunks;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Storage.Sealing;
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
    public void SealedDocument_AnyEdit_IsRefused()
    {
        const string Key = "datasets/acme/set/00000.0000.json";
        var real = SealedDocument.Seal(Key, """[{"Id":"one","Context":"It is Mabel.","Questions":[]}]"""u8);
        Assert.True(SealedDocument.TryOpen(Key, real, out var content, out _));
        Assert.Equal("""[{"Id":"one","Context":"It is Mabel.","Questions":[]}]""", System.Text.Encoding.UTF8.GetString(content.Span));

        Fuzz.Run(
            real,
            edited => Assert.Equal(edited.AsSpan().SequenceEqual(real), SealedDocument.TryOpen(Key, edited, out _, out var fault) && fault is null),
            static _ => false,
            bytesForByte: 64);
    }

    // The checksum keeps edits from what is behind it: here they come with the right one.
    [Fact]
    public void SealedDocument_AnyEditUnderTheRightChecksum_IsRefusedOrHasTheSameHead()
    {
        const string Key = "datasets/acme/set/00000.0000.json";
        Assert.True(SealedJson.TryOpen(SealedDocument.Seal(Key, "[1,2,3]"u8), out var real));
        var head = real.AsSpan().IndexOf("[1,2,3]"u8);

        Fuzz.Run(
            real,
            edited =>
            {
                if (edited.Length > 1 && edited[^1] == '}')
                {
                    var isOpened = SealedDocument.TryOpen(Key, SealedJson.Seal(edited), out _, out _);
                    Assert.Equal(edited.Length > head && edited.AsSpan(0, head).SequenceEqual(real.AsSpan(0, head)), isOpened);
                }
            },
            static _ => false,
            bytesForByte: 256);
    }

    [Fact]
    public async Task Manifest_AnyEditUnderTheRightChecksum_IsRefusedByNameOrRead()
    {
        var contexts = new StoredContexts(_objects, TimeProvider.System, mostInlineTokenIds: 8);
        await contexts.CreateAsync("c", [.. Enumerable.Range(1, 20)], Stopping);
        var key = ManifestStore.KeyOf(StoredContexts.Tenant, StoredContexts.Model, "c");
        Assert.True(SealedJson.TryOpen((await _objects.FindAsync(key, Stopping))!.Content, out var real));

        Fuzz.Run(
            real,
            edited =>
            {
                Put(key, edited.Length > 1 && edited[^1] == '}' ? SealedJson.Seal(edited) : edited);
                Ended(contexts.Manifests.FindAsync(StoredContexts.Tenant, StoredContexts.Model, "c", Stopping));
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
