using System.Buffers;
using System.Collections;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Storage.Sealing;
using Granary.Testing.Stores;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Storage.Tests.Manifests;

public sealed class ManifestStoreTests
{
    private const string Key = "contexts/acme/pythia-70m/faq.json";

    private readonly InMemoryObjectStore _objects = new(new FakeTimeProvider());
    private readonly ManifestStore _manifests;

    public ManifestStoreTests() => _manifests = new ManifestStore(_objects);

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Theory, InlineData(2), InlineData(1)]
    public async Task CommitAsync_AllPropertiesAreSet_ReadsBackTheSame(int mostInlineTokenIds)
    {
        foreach (var property in typeof(ContextManifest).GetProperties().Where(static property => property.CanWrite && !IsSetByTheStore(property.Name)))
        {
            Assert.True(IsSet(property.GetValue(Full())), $"Full() leaves {property.Name} as it is by default: set it, and see that ManifestDocument has it, Of and ToManifest too.");
        }

        var manifests = new ManifestStore(_objects, mostInlineTokenIds);
        var committed = await manifests.CommitAsync(Full(), null, Stopping);

        var found = await manifests.FindAsync("acme", "pythia-70m", "faq", Stopping);
        Assert.Equal(mostInlineTokenIds < Full().TokenIds.Length, found?.TokenBlob is not null);

        Assert.Equal(committed.Version, found!.Version);
        Assert.True(Guid.TryParseExact(found.Manifest.CommitId, "N", out _));
        AssertSame(Full() with { CommitId = committed.Manifest.CommitId }, found.Manifest);
    }

    [Fact]
    public async Task CommitAsync_OptionalFieldsAreAbsent_ReadsBackTheSame()
    {
        await _manifests.CommitAsync(Small(), null, Stopping);

        var found = (await _manifests.FindAsync("acme", "pythia-70m", "faq", Stopping))!.Manifest;

        AssertSame(Small() with { CommitId = found.CommitId }, found);
        Assert.Null(found.Expires);
        Assert.Empty(found.TokenIds);
    }

    [Fact]
    public async Task CommitAsync_DictionariesAreUnsorted_WritesThemSortedAndCompact()
    {
        await _manifests.CommitAsync(Full(), null, Stopping);

        var text = Encoding.UTF8.GetString((await _objects.FindAsync(Key, Stopping))!.Content);

        Assert.Contains("\"labels\":{\"a\":\"1\",\"b\":\"2\"}", text, StringComparison.Ordinal);
        Assert.Contains("\"tokenIds\":\"AQAAAALDAAA=\"", text, StringComparison.Ordinal); // 1 and 0xC302, little-endian
        Assert.StartsWith("{\"formatVersion\":1,\"tenant\":\"acme\",\"model\":\"pythia-70m\",\"name\":\"faq\",", text, StringComparison.Ordinal);
        Assert.Matches(",\"checksum\":\"[0-9a-f]{32}\"}$", text);
    }

    [Fact, Trait("Invariant", "3")]
    public async Task FindAsync_AnyByteIsFlippedOrCut_NamesTheContext()
    {
        await _manifests.CommitAsync(Full(), null, Stopping);
        var good = (await _objects.FindAsync(Key, Stopping))!.Content;
        for (var i = 0; i < good.Length; i++)
        {
            byte[] flipped = [.. good];
            flipped[i] ^= 0x20; // also turns the case of letters
            foreach (var bad in (byte[][])[flipped, good[..i]])
            {
                await _objects.PutAsync(Key, new(bad), Precondition.None, Stopping);
                var fault = await Assert.ThrowsAsync<StorageException>(() => _manifests.FindAsync("acme", "pythia-70m", "faq", Stopping));
                Assert.Equal("ManifestInvalid", fault.Code);
                Assert.Contains("'acme/pythia-70m/faq'", fault.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact, Trait("Invariant", "3")]
    public async Task FindAsync_ManifestOfAnotherContextLiesThere_Refuses()
    {
        await _manifests.CommitAsync(Full(), null, Stopping);
        var bytes = (await _objects.FindAsync(Key, Stopping))!.Content;
        await _objects.PutAsync("contexts/evil/pythia-70m/faq.json", new(bytes), Precondition.None, Stopping);

        var fault = await Assert.ThrowsAsync<StorageException>(() => _manifests.FindAsync("evil", "pythia-70m", "faq", Stopping));

        Assert.Contains("acme", fault.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, string, string> Lies => new()
    {
        { "formatVersion", "2", "formatVersion is 2" },
        { "state", "\"done\"", "state" },
        { "version", "0", "version is 0" },
        { "incarnation", "\"x\"", "incarnation" },
        { "tokenIds", "\"AAAA\"", "JSON" },
        { "tokenIds", "null", "neither" },
        { "tokenIds", "\"/////w==\"", "negative" },
        { "truncatedTokens", "-1", "truncatedTokens" },
        { "timeToLive", "\"-01:00:00\"", "timeToLive" },
        { "expires", "null", "timeToLive" },
        { "labels", "null", "JSON" },
        { "tenant", "null", "JSON" },
        { "created", "\"yesterday\"", "JSON" },
        { "chunks", "{\"n\":[{\"hash\":\"00\",\"count\":1,\"bytes\":1}]}", "hash" },
        { "chunks", "{\"n\":[{\"hash\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"count\":2000000000,\"bytes\":1}]}", "2,000,000,000" },
        { "chunks", "{\"n\":[{\"hash\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"count\":1,\"bytes\":-1}]}", "-1" },
        { "chunks", "{\"n\":[null]}", "hash" },
    };

    [Theory, MemberData(nameof(Lies))]
    public async Task FindAsync_ChecksumIsRightButContentIsNot_NamesTheFault(string field, string value, string expected)
    {
        var json = JsonNode.Parse(JsonSerializer.SerializeToUtf8Bytes(ManifestDocument.Of(Full() with { CommitId = "c" }, null), StorageJson.Default.ManifestDocument))!;
        json[field] = JsonNode.Parse(value);
        await _objects.PutAsync(Key, new(SealedJson.Seal(Encoding.UTF8.GetBytes(json.ToJsonString()))), Precondition.None, Stopping);

        var fault = await Assert.ThrowsAsync<StorageException>(() => _manifests.FindAsync("acme", "pythia-70m", "faq", Stopping));

        Assert.Equal("ManifestInvalid", fault.Code);
        Assert.Contains(expected, fault.Message, StringComparison.Ordinal);
    }

    [Fact, Trait("Invariant", "4")]
    public async Task CommitAsync_PreviousIsStale_Conflicts()
    {
        var first = await _manifests.CommitAsync(Small(), null, Stopping);
        var second = await _manifests.CommitAsync(Small() with { Version = 2 }, first, Stopping);

        await Assert.ThrowsAsync<ObjectConflictException>(() => _manifests.CommitAsync(Small() with { Version = 2 }, first, Stopping));
        await Assert.ThrowsAsync<ObjectConflictException>(() => _manifests.CommitAsync(Small(), null, Stopping));
        Assert.Equal(second.Manifest.CommitId, (await _manifests.FindAsync("acme", "pythia-70m", "faq", Stopping))!.Manifest.CommitId);
    }

    [Fact]
    public async Task CommitAsync_PreviousIsATombstone_ReplacesIt()
    {
        var deleted = await _manifests.CommitAsync(Small() with { State = ManifestStates.Deleted }, null, Stopping);

        var created = await _manifests.CommitAsync(Small() with { Incarnation = Guid.NewGuid().ToString("N") }, deleted, Stopping);

        Assert.Equal(created.Version, (await _manifests.FindAsync("acme", "pythia-70m", "faq", Stopping))!.Version);
    }

    [Theory, InlineData(false), InlineData(true)]
    [Trait("Invariant", "4")]
    public async Task CommitAsync_AnswerIsLost_RecognisesItsOwnCommit(bool asConflict)
    {
        var first = await _manifests.CommitAsync(Small(), null, Stopping);
        var lossy = new ManifestStore(new LossyStore(_objects) { WritesFirst = true, Fault = key => asConflict ? new ObjectConflictException(key) : Unavailable() });

        var second = await lossy.CommitAsync(Small() with { Version = 2 }, first, Stopping);

        var found = await _manifests.FindAsync("acme", "pythia-70m", "faq", Stopping);
        Assert.Equal((second.Version, 2L), (found!.Version, found.Manifest.Version));
    }

    [Fact, Trait("Invariant", "4")]
    public async Task CommitAsync_WriteIsLost_SaysThatTheStoreDoesNotAnswer()
    {
        var first = await _manifests.CommitAsync(Small(), null, Stopping);
        var lossy = new ManifestStore(new LossyStore(_objects) { WritesFirst = false, Fault = _ => Unavailable() });

        var fault = await Assert.ThrowsAsync<StorageException>(() => lossy.CommitAsync(Small() with { Version = 2 }, first, Stopping));

        Assert.Equal("StoreUnavailable", fault.Code);
        Assert.Equal(1, (await _manifests.FindAsync("acme", "pythia-70m", "faq", Stopping))!.Manifest.Version);
    }

    [Fact, Trait("Invariant", "4")]
    public async Task CommitAsync_AnswerIsLostAndAnotherWon_Conflicts()
    {
        var first = await _manifests.CommitAsync(Small(), null, Stopping);
        var lossy = new ManifestStore(new LossyStore(_objects) { WritesFirst = false, Fault = _ => Unavailable() });
        await _manifests.CommitAsync(Small() with { Version = 2 }, first, Stopping);

        await Assert.ThrowsAsync<ObjectConflictException>(() => lossy.CommitAsync(Small() with { Version = 2 }, first, Stopping));
    }

    [Fact]
    public async Task CommitAsync_OperationsAreMany_KeepsTheLast()
    {
        var operations = Enumerable.Range(1, 100).Select(i => new ManifestOperation($"op-{i}", i)).ToList();

        var committed = await _manifests.CommitAsync(Small() with { Operations = operations }, null, Stopping);

        Assert.Equal(operations.TakeLast(64), committed.Manifest.Operations);
        Assert.Equal(operations.TakeLast(64), (await _manifests.FindAsync("acme", "pythia-70m", "faq", Stopping))!.Manifest.Operations);
    }

    [Fact]
    public async Task CommitAsync_ContextIsTooLong_RefusesBeforeWriting()
    {
        var fault = await Assert.ThrowsAsync<StorageException>(() => _manifests.CommitAsync(Small() with { TokenIds = new int[(1 << 20) + 1], Version = -1 }, null, Stopping));

        Assert.Equal("ManifestInvalid", fault.Code);
        Assert.Contains("1,048,577", fault.Message, StringComparison.Ordinal);
        Assert.Contains("version is -1", fault.Message, StringComparison.Ordinal); // all faults at once
        Assert.Empty(await ListAsync("acme", null));
    }

    [Fact]
    public async Task CommitAsync_ContextIsTheLongest_RoundTrips()
    {
        var ids = Enumerable.Range(0, 1 << 20).ToArray();

        await _manifests.CommitAsync(Small() with { TokenIds = ids }, null, Stopping);

        Assert.Equal(ids, (await _manifests.FindAsync("acme", "pythia-70m", "faq", Stopping))!.Manifest.TokenIds);
    }

    [Theory, InlineData("../x", "m", "n"), InlineData("t", "m/../..", "n"), InlineData("t", "m", "../n"), InlineData("t", "m", "a/b"), InlineData("t", "m", ""), InlineData("t", "m", ".n"), InlineData("", "m", "n")]
    [Trait("Invariant", "12")]
    public async Task FindAsync_NameCouldEscape_RefusesIt(string tenant, string model, string name)
    {
        Assert.Equal("InvalidName", (await Assert.ThrowsAsync<StorageException>(() => _manifests.FindAsync(tenant, model, name, Stopping))).Code);
        Assert.Equal("InvalidName", (await Assert.ThrowsAsync<StorageException>(() => _manifests.CommitAsync(Small() with { Tenant = tenant, Model = model, Name = name }, null, Stopping))).Code);
    }

    [Fact, Trait("Invariant", "12")]
    public async Task ListAsync_TenantsAndModelsAreMany_GivesTheAskedOnes()
    {
        foreach (var (tenant, model, name) in ((string, string, string)[])[("acme", "b", "2"), ("acme", "b", "1.x"), ("acme", "bb", "3"), ("acme", "a", "q%20"), ("acme2", "b", "no")])
        {
            await _manifests.CommitAsync(Small() with { Tenant = tenant, Model = model, Name = name }, null, Stopping);
        }

        Assert.Equal([("a", "q%20"), ("b", "1.x"), ("b", "2"), ("bb", "3")], await ListAsync("acme", null));
        Assert.Equal([("b", "1.x"), ("b", "2")], await ListAsync("acme", "b"));
        Assert.Empty(await ListAsync("nobody", null));
    }

    private async Task<List<(string Model, string Name)>> ListAsync(string tenant, string? model)
    {
        var all = new List<(string, string)>();
        await foreach (var found in _manifests.ListAsync(tenant, model, Stopping))
        {
            all.Add((found.Model, found.Name));
        }

        return all;
    }

    private static StorageException Unavailable() => new("StoreUnavailable", "The store does not answer.", "Wait.");

    private static ContextManifest Small() => new()
    {
        Tenant = "acme",
        Model = "pythia-70m",
        Name = "faq",
        Incarnation = "0123456789abcdef0123456789abcdef",
        Version = 1,
        State = ManifestStates.Accepted,
        Fingerprint = "c0ffee",
        TokenIds = [],
        Created = new DateTimeOffset(2030, 1, 2, 3, 4, 5, 678, TimeSpan.Zero),
        Updated = new DateTimeOffset(2030, 1, 2, 3, 4, 6, TimeSpan.Zero),
    };

    private static ContextManifest Full() => Small() with
    {
        Version = 7,
        State = ManifestStates.Stored,
        Chunks = new Dictionary<string, ManifestChunk[]>
        {
            ["n2"] = [],
            ["n1"] = [new(new string('a', 64), 1, 4096, new string('b', 32)), new(new string('c', 64), 1, 2048)],
        },
        Shared = true,
        TokenIds = [1, 0xC302],
        TokenizerDigest = "d1",
        Expires = new DateTimeOffset(2031, 1, 1, 0, 0, 0, TimeSpan.Zero),
        TimeToLive = TimeSpan.FromHours(36.5),
        Labels = new Dictionary<string, string> { ["b"] = "2", ["a"] = "1" },
        PinnedUntil = new DateTimeOffset(2030, 6, 1, 0, 0, 0, TimeSpan.Zero),
        TruncatedTokens = 3,
        Parent = "origin",
        Operations = [new("op \"1\" é", 6), new("op-2", 7)],
    };

    private static bool IsSetByTheStore(string property) => property is nameof(ContextManifest.FormatVersion) or nameof(ContextManifest.CommitId);

    private static bool IsSet(object? value) => value switch
    {
        null or false or 0 or 0L => false,
        DateTimeOffset time => time != default,
        IEnumerable items => items.Cast<object>().Any(), // a text, too
        _ => true,
    };

    // A record's equality: a property that is added is compared, too.
    private static void AssertSame(ContextManifest expected, ContextManifest actual)
    {
        Assert.Equal(expected.TokenIds, actual.TokenIds);
        Assert.Equal(expected.Chunks.OrderBy(c => c.Key), actual.Chunks.OrderBy(c => c.Key), (x, y) => x.Key == y.Key && x.Value.SequenceEqual(y.Value));
        Assert.Equal(expected.Labels.OrderBy(l => l.Key), actual.Labels.OrderBy(l => l.Key));
        Assert.Equal(expected.Operations, actual.Operations);
        Assert.Equal(
            expected with { TokenIds = actual.TokenIds, Chunks = actual.Chunks, Labels = actual.Labels, Operations = actual.Operations },
            actual);
    }

    /// <summary>Fails every put, before or after doing it.</summary>
    private sealed class LossyStore(IObjectStore inner) : DelegatingStore(inner)
    {
        public required bool WritesFirst { get; init; }

        public required Func<string, Exception> Fault { get; init; }

        public override async Task<ObjectVersion> PutAsync(string key, ReadOnlySequence<byte> content, Precondition precondition, CancellationToken cancellationToken)
        {
            if (WritesFirst)
            {
                await base.PutAsync(key, content, precondition, cancellationToken);
            }

            throw Fault(key);
        }
    }
}
