using System.Text;
using System.Text.Json.Nodes;
using Granary.Storage.Errors;
using Granary.Storage.Maintenance;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Storage.Sealing;
using Granary.Testing.Servers;

namespace Granary.Storage.Tests.Manifests;

/// <summary>A manifest or the blob of its token ids is damaged behind the store's back: a named error for that context alone, which a check finds ahead (invariant 3).</summary>
public abstract class ManifestTamperTests
{
    private const string Tenant = "acme";
    private const string Model = "m";
    private const string ShortKey = "contexts/acme/m/short.json";
    private const string LongKey = "contexts/acme/m/long.json";
    private static readonly int[] Ids = [.. Enumerable.Range(1, 20)];
    private static readonly string BlobKey = TokenBlobStore.KeyOf(Tenant, TokenBlobStore.NameOf(Ids).Hash);

    protected abstract IObjectStore Store { get; }

    private ManifestStore Manifests => field ??= new ManifestStore(Store, mostInlineTokenIds: 8);

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact, Trait("Invariant", "3")]
    public async Task FindAsync_AnyByteOfTheManifestIsFlipped_IsRefused()
    {
        await CommitAllAsync();
        var good = await ReadAsync(ShortKey);
        for (var at = 0; at < good.Length; at++)
        {
            await PutAsync(ShortKey, Flip(good, at));
            await AssertRefusedAsync("short", null);
        }

        await AssertOthersAreWholeAsync("short");
        await AssertCheckFindsAsync(ShortKey, "manifest", "m/short");
    }

    public static TheoryData<string> Damages => ["cut by a byte", "longer by a byte", "empty", "another name's", "another model's", "another tenant's"];

    [Theory, MemberData(nameof(Damages)), Trait("Invariant", "3")]
    public async Task FindAsync_ManifestIsDamaged_IsRefused(string damage)
    {
        await CommitAllAsync();
        await PutAsync(LongKey, await DamageAsync(damage, await ReadAsync(LongKey)));

        await AssertRefusedAsync("long", null);
        await AssertOthersAreWholeAsync("long");
        await AssertCheckFindsAsync(LongKey, "manifest", "m/long");
    }

    [Theory, MemberData(nameof(Damages)), Trait("Invariant", "4")]
    public async Task FindInvalidAsync_ManifestIsDamaged_ATombstoneIsCommittedOnWhatLiesThereOnly(string damage)
    {
        await CommitAllAsync();
        var (good, before) = (await ReadAsync(LongKey), (await Manifests.FindAsync(Tenant, Model, "long", Stopping))!);
        var bad = await DamageAsync(damage, good);
        var unknown = Manifest("long", []) with { Operations = [new("deleted", 1)] };
        await PutAsync(LongKey, bad);
        var found = (await Manifests.FindInvalidAsync(unknown, Stopping))!;
        await PutAsync(LongKey, good);
        await Assert.ThrowsAsync<ObjectConflictException>(() => BuryAsync(found)); // it was restored meanwhile
        Assert.Equal(Ids, (await Manifests.FindAsync(Tenant, Model, "long", Stopping))!.Manifest.TokenIds);

        await PutAsync(LongKey, bad);
        await BuryAsync((await Manifests.FindInvalidAsync(unknown, Stopping))!);
        var tombstone = (await Manifests.FindAsync(Tenant, Model, "long", Stopping))!.Manifest;
        Assert.Equal((ManifestStates.Deleted, 1), (tombstone.State, tombstone.FindOperation("deleted")?.Version));
        await Assert.ThrowsAsync<ObjectConflictException>(() => Manifests.CommitAsync(before.Manifest, before, Stopping)); // a creation that runs
    }

    [Fact]
    public async Task FindInvalidAsync_NothingLiesThere_IsNull() => Assert.Null(await Manifests.FindInvalidAsync(Manifest("none", []), Stopping));

    /// <summary>Members of a manifest whose checksum is right, and a number that is not.</summary>
    public static TheoryData<string, string> Numbers
    {
        get
        {
            var all = new TheoryData<string, string>();
            foreach (var member in (string[])["formatVersion", "version", "chunks.n.0.count", "chunks.n.0.bytes", "tokenBlob.count"])
            {
                foreach (var number in (string[])["9223372036854775807", "9223372036854775808", "18446744073709551616", "1e300", "-1", "-9223372036854775808", "1.5"])
                {
                    all.Add(member, number);
                }
            }

            foreach (var number in (string[])["0", "19", "21", "1048577", "2147483647", "2147483648"])
            {
                all.Add("tokenBlob.count", number);
            }

            all.Add("truncatedTokens", "2147483648");
            all.Add("operations.0.version", "9223372036854775808");
            return all;
        }
    }

    [Theory, MemberData(nameof(Numbers)), Trait("Invariant", "3")]
    public async Task FindAsync_NumberIsNotPossible_IsRefused(string member, string number)
    {
        await CommitAllAsync();
        await EditAsync(LongKey, json => Set(json, member, JsonNode.Parse(number)));

        await AssertRefusedAsync("long", null);
        await AssertOthersAreWholeAsync("long");
        await AssertCheckFindsAsync(LongKey, "manifest", "m/long");
    }

    [Fact, Trait("Invariant", "3")]
    public async Task FindAsync_TokensAreNamedTwiceOrNowhereOrOddly_IsRefused()
    {
        await CommitAllAsync();
        var hash = TokenBlobStore.NameOf(Ids).Hash;
        foreach (var (edit, says) in (List<(Action<JsonNode>, string)>)
        [
            (static json => json["tokenIds"] = "AQAAAA==", "both"),
            (static json => json.AsObject().Remove("tokenBlob"), "neither"),
            (static json => json["tokenBlob"] = null, "neither"),
            (static json => json["tokenBlob"] = "x", "JSON"),
            (static json => json["tokenBlob"]!.AsObject().Remove("hash"), "JSON"),
            (static json => json["tokenBlob"]!.AsObject().Remove("count"), "JSON"),
            (json => json["tokenBlob"]!["hash"] = hash.ToUpperInvariant(), "hexadecimal"),
            (static json => json["tokenBlob"]!["hash"] = "", "hexadecimal"),
            (static json => json["tokenBlob"]!["hash"] = "../../../tenants/acme.json", "hexadecimal"),
            (static json => json["tokenBlob"]!["hash"] = new string('/', 64), "hexadecimal"),
            (json => json["tokenBlob"]!["hash"] = hash[..^1], "hexadecimal"),
            (static json => json["tokenBlob"]!["hash"] = new string('a', 64), "absent"),
        ])
        {
            var good = await ReadAsync(LongKey);
            await EditAsync(LongKey, edit);
            await AssertRefusedAsync("long", says);
            await PutAsync(LongKey, good);
        }
    }

    public static TheoryData<string, string> BlobDamages => new()
    {
        { "first byte", "hash" },
        { "middle byte", "hash" },
        { "last byte", "hash" },
        { "cut by a byte", "79 bytes" },
        { "longer by a byte", "81 bytes" },
        { "longer by an id", "84 bytes" },
        { "empty", "0 bytes" },
        { "another list's", "hash" },
        { "gone", "absent" },
    };

    [Theory, MemberData(nameof(BlobDamages)), Trait("Invariant", "3")]
    public async Task FindAsync_TokenBlobIsDamaged_IsRefusedAndCreationPutsItRight(string damage, string says)
    {
        await CommitAllAsync();
        var good = await ReadAsync(BlobKey);
        if (damage == "gone")
        {
            await Store.DeleteAsync(BlobKey, Precondition.None, Stopping);
        }
        else
        {
            await PutAsync(BlobKey, damage switch
            {
                "first byte" => Flip(good, 0),
                "middle byte" => Flip(good, good.Length / 2),
                "last byte" => Flip(good, good.Length - 1),
                "cut by a byte" => good[..^1],
                "longer by a byte" => [.. good, 0],
                "longer by an id" => [.. good, 0, 0, 0, 0],
                "empty" => [],
                _ => await ReadAsync(TokenBlobStore.KeyOf(Tenant, TokenBlobStore.NameOf(Others).Hash)),
            });
        }

        await AssertRefusedAsync("long", says, BlobKey);
        await AssertOthersAreWholeAsync("long"); // another tenant has the same ids in a blob of its own
        await AssertCheckFindsAsync(LongKey, "manifest", "m/long");
        if (damage != "gone")
        {
            await AssertCheckFindsAsync(BlobKey, "tokens", null);
            Assert.NotNull(await Store.HeadAsync(BlobKey, Stopping)); // repair deletes no ids
        }

        var found = (await Manifests.FindInvalidAsync(Manifest("long", []), Stopping))!;
        Assert.Equal((1, ""), (found.Manifest.Operations.Count, string.Join(',', found.Manifest.TokenIds)));
        await Manifests.CommitAsync(Manifest("long", Ids), await BuryAsync(found), Stopping);
        Assert.Equal(good, await ReadAsync(BlobKey));
        Assert.Equal(Ids, (await Manifests.FindAsync(Tenant, Model, "long", Stopping))!.Manifest.TokenIds);
        Assert.DoesNotContain((await CheckAsync(repair: false)).Faults, static fault => fault.Key is LongKey || fault.Key == BlobKey);
    }

    private async Task<byte[]> DamageAsync(string damage, byte[] good) => damage switch
    {
        "cut by a byte" => good[..^1],
        "longer by a byte" => [.. good, (byte)' '],
        "empty" => [],
        "another name's" => await ReadAsync("contexts/acme/m/long-too.json"),
        "another model's" => await ReadAsync("contexts/acme/m2/long.json"),
        _ => await ReadAsync("contexts/acme2/m/long.json"),
    };

    private Task<StoredManifest> BuryAsync(StoredManifest found) => Manifests.CommitAsync(ManifestStore.Tombstone(found.Manifest, DateTimeOffset.UnixEpoch), found, Stopping);

    private static int[] Others { get; } = [.. Enumerable.Range(100, 20)];

    private async Task CommitAllAsync()
    {
        foreach (var manifest in (ContextManifest[])
        [
            Manifest("short", [1, 2, 3]),
            Manifest("long", Ids),
            Manifest("long-too", Others),
            Manifest("long", Others) with { Model = "m2" },
            Manifest("long", Ids) with { Tenant = "acme2" },
        ])
        {
            await Manifests.CommitAsync(manifest, await Manifests.FindAsync(manifest.Tenant, manifest.Model, manifest.Name, Stopping), Stopping);
        }
    }

    private async Task AssertRefusedAsync(string name, string? says, string? key = null)
    {
        var fault = await Assert.ThrowsAsync<StorageException>(() => Manifests.FindAsync(Tenant, Model, name, Stopping));
        Assert.Equal("ManifestInvalid", fault.Code);
        Assert.Contains($"'{Tenant}/{Model}/{name}'", fault.Message, StringComparison.Ordinal);
        Assert.Contains(says ?? "", fault.Message, StringComparison.Ordinal);
        Assert.Contains(key ?? "", fault.Message, StringComparison.Ordinal);
        Assert.Contains("delete the context", fault.Remedy, StringComparison.Ordinal);
    }

    private async Task AssertOthersAreWholeAsync(string bad)
    {
        foreach (var (tenant, model, name, ids) in ((string, string, string, int[])[])
            [(Tenant, Model, "short", [1, 2, 3]), (Tenant, Model, "long", Ids), (Tenant, Model, "long-too", Others), (Tenant, "m2", "long", Others), ("acme2", Model, "long", Ids)])
        {
            if ((tenant, model, name) != (Tenant, Model, bad))
            {
                Assert.Equal(ids, (await Manifests.FindAsync(tenant, model, name, Stopping))!.Manifest.TokenIds);
            }
        }
    }

    private async Task AssertCheckFindsAsync(string key, string kind, string? context) =>
        Assert.Equal((kind, context, false), Assert.Single((await CheckAsync(repair: true)).Faults, fault => fault.Key == key) is var fault ? (fault.Kind, fault.Context, fault.Repaired) : default);

    private Task<StoreCheckReport> CheckAsync(bool repair) => new StoreCheck(Store, TimeProvider.System).RunAsync(Tenant, repair, static _ => { }, Stopping);

    private async Task<byte[]> ReadAsync(string key) => (await Store.FindAsync(key, Stopping))!.Content;

    private Task<ObjectVersion> PutAsync(string key, byte[] content) => Store.PutAsync(key, new(content), Precondition.None, Stopping);

    private static byte[] Flip(byte[] good, int at) => [.. good[..at], (byte)(good[at] ^ 1), .. good[(at + 1)..]];

    // With the right checksum: it is the content that is refused.
    private async Task EditAsync(string key, Action<JsonNode> edit)
    {
        var json = JsonNode.Parse(await ReadAsync(key))!;
        json.AsObject().Remove("checksum");
        edit(json);
        await PutAsync(key, SealedJson.Seal(Encoding.UTF8.GetBytes(json.ToJsonString())));
    }

    private static void Set(JsonNode json, string member, JsonNode? value)
    {
        var path = member.Split('.');
        foreach (var step in path[..^1])
        {
            json = (int.TryParse(step, out var index) ? json[index] : json[step])!;
        }

        json[path[^1]] = value;
    }

    private static ContextManifest Manifest(string name, int[] ids) => new()
    {
        Tenant = Tenant,
        Model = Model,
        Name = name,
        Incarnation = "0123456789abcdef0123456789abcdef",
        Version = 1,
        State = ManifestStates.Stored,
        Fingerprint = "f",
        Chunks = new Dictionary<string, ManifestChunk[]> { ["n"] = [new(new string('a', 64), 1, 4096)] },
        TokenIds = ids,
        Created = DateTimeOffset.UnixEpoch,
        Updated = DateTimeOffset.UnixEpoch,
        Operations = [new("o", 1)],
    };
}

/// <summary>On a folder.</summary>
public sealed class FolderManifestTamperTests : ManifestTamperTests, IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("granary-store-").FullName;

    public FolderManifestTamperTests() => Store = new FolderObjectStore(_root, TimeProvider.System);

    protected override IObjectStore Store { get; }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}

/// <summary>On Azure Blob Storage, as Azurite is it.</summary>
public sealed class AzureManifestTamperTests(AzuriteServer azurite) : ManifestTamperTests, IClassFixture<AzuriteServer>
{
    private readonly string _container = $"t{Guid.NewGuid():N}";

    protected override IObjectStore Store => field ??= ObjectStores.Open($"{azurite.ConnectionString}Container={_container}", TimeProvider.System);
}
