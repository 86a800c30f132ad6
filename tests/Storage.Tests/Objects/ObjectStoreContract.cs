using Granary.Storage.Errors;
using Granary.Storage.Objects;
using static Granary.Storage.Tests.Objects.Bytes;

namespace Granary.Storage.Tests.Objects;

/// <summary>What every object store promises; one sealed subclass a store runs all of it.</summary>
public abstract class ObjectStoreContract
{
    protected abstract IObjectStore Store { get; }

    protected static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task FindAsync_ObjectIsAbsent_IsNull()
    {
        Assert.Null(await Store.FindAsync("a/b.json", Stopping));
        Assert.Null(await Store.HeadAsync("a/b.json", Stopping));
        Assert.Null(await Store.ReadAsync("a/b.json", 0, new byte[1], Stopping));
        Assert.Null(await Store.ReadAsync("a/b.json", 0, Memory<byte>.Empty, Stopping));
        Assert.False(await Store.TouchAsync("a/b.json", Stopping));
        Assert.False(await Store.DeleteAsync("a/b.json", Precondition.None, Stopping));
        Assert.False(await Store.DeleteAsync("a/b.json", Precondition.Absent, Stopping));
        Assert.Empty(await Store.ListKeysAsync(""));
    }

    [Fact]
    public async Task PutAsync_ObjectIsNew_IsFoundWithItsVersion()
    {
        var version = await Store.PutAsync("a/b.json", Text("one"), Precondition.None, Stopping);

        var found = await Store.FindAsync("a/b.json", Stopping);
        Assert.Equal("one"u8, found!.Content);
        Assert.Equal(version, found.Version);
        var info = await Store.HeadAsync("a/b.json", Stopping);
        Assert.Equal(("a/b.json", 3L, version), (info!.Key, info.Length, info.Version));
    }

    [Fact]
    public async Task PutAsync_ContentIsEmpty_IsFoundEmpty()
    {
        var version = await Store.PutAsync("empty", Text(""), Precondition.Absent, Stopping);

        Assert.Empty((await Store.FindAsync("empty", Stopping))!.Content);
        Assert.Equal(version, await Store.ReadAsync("empty", 0, Memory<byte>.Empty, Stopping));
        await Assert.ThrowsAsync<EndOfStreamException>(() => Store.ReadAsync("empty", 0, new byte[1], Stopping));
    }

    [Fact]
    public async Task PutAsync_ContentIsInManySegments_IsReadBackWhole()
    {
        var content = Random(1, 9_000_001); // more than two of Azure's blocks
        await Store.PutAsync("big.bin", ByteSegment.Join(content.AsMemory(0, 77), content.AsMemory(77, 0), content.AsMemory(77, 5_000_000), content.AsMemory(5_000_077)), Precondition.Absent, Stopping);

        Assert.Equal(content, (await Store.FindAsync("big.bin", Stopping))!.Content);
    }

    [Fact, Trait("Invariant", "4")]
    public async Task PutAsync_ObjectExistsButMustNot_RefusesAndKeepsIt()
    {
        var first = await Store.PutAsync("m.json", Text("1"), Precondition.Absent, Stopping);

        var conflict = await Assert.ThrowsAsync<ObjectConflictException>(() => Store.PutAsync("m.json", Text("2"), Precondition.Absent, Stopping));

        Assert.Equal("m.json", conflict.Key);
        Assert.Equal("1", await Store.FindTextAsync("m.json"));
        Assert.Equal(first, (await Store.HeadAsync("m.json", Stopping))!.Version);
    }

    [Fact, Trait("Invariant", "4")]
    public async Task PutAsync_BigObjectExistsButMustNot_RefusesAndKeepsIt()
    {
        await Store.PutAsync("m.bin", Text("1"), Precondition.Absent, Stopping);

        await Assert.ThrowsAsync<ObjectConflictException>(() => Store.PutAsync("m.bin", new(new byte[5 << 20]), Precondition.Absent, Stopping));

        Assert.Equal("1", await Store.FindTextAsync("m.bin"));
    }

    [Fact, Trait("Invariant", "4")]
    public async Task PutAsync_VersionIsStale_RefusesAndKeepsTheWinner()
    {
        var read = await Store.PutAsync("m.json", Text("1"), Precondition.Absent, Stopping);
        var next = await Store.PutAsync("m.json", Text("2"), Precondition.Unchanged(read), Stopping);

        Assert.NotEqual(read, next);
        await Assert.ThrowsAsync<ObjectConflictException>(() => Store.PutAsync("m.json", Text("3"), Precondition.Unchanged(read), Stopping));
        Assert.Equal("2", await Store.FindTextAsync("m.json"));
    }

    [Fact, Trait("Invariant", "4")]
    public async Task PutAsync_ObjectOfTheVersionIsGone_Refuses()
    {
        var read = await Store.PutAsync("m.json", Text("1"), Precondition.Absent, Stopping);
        Assert.True(await Store.DeleteAsync("m.json", Precondition.Unchanged(read), Stopping));

        await Assert.ThrowsAsync<ObjectConflictException>(() => Store.PutAsync("m.json", Text("2"), Precondition.Unchanged(read), Stopping));
        Assert.Null(await Store.FindAsync("m.json", Stopping));
    }

    [Fact, Trait("Invariant", "4")]
    public async Task PutAsync_ObjectWasDeletedAndMadeAnew_RefusesTheOldVersion()
    {
        var old = await Store.PutAsync("m.json", Text("1"), Precondition.Absent, Stopping);
        await Store.DeleteAsync("m.json", Precondition.None, Stopping);
        await Store.PutAsync("m.json", Text("1"), Precondition.Absent, Stopping);

        await Assert.ThrowsAsync<ObjectConflictException>(() => Store.PutAsync("m.json", Text("2"), Precondition.Unchanged(old), Stopping));
    }

    [Fact, Trait("Invariant", "4")]
    public async Task PutAsync_ManyWritersAtOnce_OneWinsEachRound()
    {
        var version = await Store.PutAsync("m.json", Text("0"), Precondition.Absent, Stopping);
        for (var round = 0; round < 5; round++)
        {
            var read = version;
            var writers = await Task.WhenAll(Enumerable.Range(0, 8).Select(async writer =>
            {
                try
                {
                    return await Store.PutAsync("m.json", Text($"{round}-{writer}"), Precondition.Unchanged(read), Stopping);
                }
                catch (ObjectConflictException)
                {
                    return null;
                }
            }));
            version = Assert.Single(writers, v => v is not null)!;
            Assert.Equal($"{round}-{Array.IndexOf(writers, version)}", await Store.FindTextAsync("m.json"));
        }
    }

    [Fact]
    public async Task ReadAsync_RangeLiesInside_FillsTheDestination()
    {
        var content = Random(2, 100_000);
        var version = await Store.PutAsync("r.bin", new(content), Precondition.None, Stopping);
        var destination = new byte[1000];

        Assert.Equal(version, await Store.ReadAsync("r.bin", 12_345, destination, Stopping));
        Assert.Equal(content[12_345..13_345], destination);
        Assert.Equal(version, await Store.ReadAsync("r.bin", 99_000, destination, Stopping));
        Assert.Equal(content[99_000..], destination);
    }

    [Theory, InlineData(99_001), InlineData(99_999), InlineData(100_000), InlineData(5_000_000)]
    public async Task ReadAsync_RangeEndsBehindTheObject_Throws(long offset)
    {
        await Store.PutAsync("r.bin", new(Random(2, 100_000)), Precondition.None, Stopping);

        await Assert.ThrowsAsync<EndOfStreamException>(() => Store.ReadAsync("r.bin", offset, new byte[1000], Stopping));
    }

    [Fact]
    public async Task ReadAllAsync_PartsAreAsLongAsTheObject_FillsThemInOrder()
    {
        var content = Random(3, 100_000);
        var version = await Store.PutAsync("a.bin", new(content), Precondition.None, Stopping);
        byte[][] parts = [new byte[64], new byte[99_900], [], new byte[36]];

        var info = await Store.ReadAllAsync("a.bin", [.. parts.Select(static part => part.AsMemory())], Stopping);

        Assert.Equal((content.Length, version), (info!.Length, info.Version));
        Assert.Equal(content, parts.SelectMany(static part => part));
    }

    [Theory, InlineData(0), InlineData(999), InlineData(1001), InlineData(2000)]
    public async Task ReadAllAsync_PartsAreOfAnotherLength_ReadsNothing(int length)
    {
        var version = await Store.PutAsync("a.bin", new(Random(3, 1000)), Precondition.None, Stopping);
        var part = new byte[length];

        var info = await Store.ReadAllAsync("a.bin", [part.AsMemory(0, length / 2), part.AsMemory(length / 2)], Stopping);

        Assert.Equal((1000, version), (info!.Length, info.Version));
        Assert.Equal(new byte[length], part);
        Assert.Null(await Store.ReadAllAsync("b.bin", [part], Stopping));
    }

    [Fact]
    public async Task TouchAsync_ObjectExists_ChangesVersionAndNotContent()
    {
        var listed = await Store.PutAsync("c.bin", Text("1"), Precondition.Absent, Stopping);

        Assert.True(await Store.TouchAsync("c.bin", Stopping));

        var info = await Store.HeadAsync("c.bin", Stopping);
        Assert.NotEqual(listed, info!.Version);
        Assert.Equal("1", await Store.FindTextAsync("c.bin"));
        // The collector that listed it before the touch must not take it.
        await Assert.ThrowsAsync<ObjectConflictException>(() => Store.DeleteAsync("c.bin", Precondition.Unchanged(listed), Stopping));
        Assert.True(await Store.DeleteAsync("c.bin", Precondition.Unchanged(info.Version), Stopping));
    }

    [Fact]
    public async Task DeleteAsync_VersionIsStale_RefusesAndKeepsTheObject()
    {
        var read = await Store.PutAsync("d", Text("1"), Precondition.None, Stopping);
        await Store.PutAsync("d", Text("2"), Precondition.None, Stopping);

        await Assert.ThrowsAsync<ObjectConflictException>(() => Store.DeleteAsync("d", Precondition.Unchanged(read), Stopping));
        await Assert.ThrowsAsync<ObjectConflictException>(() => Store.DeleteAsync("d", Precondition.Absent, Stopping));
        Assert.Equal("2", await Store.FindTextAsync("d"));
    }

    [Fact]
    public async Task DeleteAsync_ObjectExists_IsGoneAndMayComeAgain()
    {
        var read = await Store.PutAsync("x/d", Text("1"), Precondition.None, Stopping);

        Assert.True(await Store.DeleteAsync("x/d", Precondition.Unchanged(read), Stopping));
        Assert.False(await Store.DeleteAsync("x/d", Precondition.Unchanged(read), Stopping));
        Assert.Null(await Store.HeadAsync("x/d", Stopping));
        Assert.NotEqual(read, await Store.PutAsync("x/d", Text("1"), Precondition.Absent, Stopping));
    }

    [Fact]
    public async Task ListAsync_KeysShareAPrefix_GivesThoseInOrdinalOrder()
    {
        string[] keys = ["a/b-c.json", "a/b/c.json", "a/b/d.json", "a/bb.json", "a/%41.json", "a/A.json", "b/a/b.json", "z"];
        foreach (var key in keys.Reverse())
        {
            await Store.PutAsync(key, Text(key), Precondition.Absent, Stopping);
        }

        Assert.Equal(keys.Order(StringComparer.Ordinal), await Store.ListKeysAsync(""));
        Assert.Equal(["a/b-c.json", "a/b/c.json", "a/b/d.json", "a/bb.json"], await Store.ListKeysAsync("a/b"));
        Assert.Equal(["a/b/c.json", "a/b/d.json"], await Store.ListKeysAsync("a/b/"));
        Assert.Equal(["a/b/d.json"], await Store.ListKeysAsync("a/b/d"));
        Assert.Equal(["z"], await Store.ListKeysAsync("z"));
        Assert.Empty(await Store.ListKeysAsync("c/"));
        foreach (var after in keys.Append("a/b/").Append("a/b/cc").Append("").Append("zz"))
        {
            Assert.Equal(
                keys.Order(StringComparer.Ordinal).Where(key => string.CompareOrdinal(key, after) > 0),
                await Store.ListAsync("", after, Stopping).Select(static info => info.Key).ToListAsync(Stopping));
        }

        Assert.Equal(["a/b/d.json", "a/bb.json"], await Store.ListAsync("a/b", "a/b/c.json", Stopping).Select(static info => info.Key).ToListAsync(Stopping));
        Assert.Equal("a/%41.json", await Store.FindTextAsync("a/%41.json"));
    }

    [Fact]
    public async Task ListAsync_ObjectWasRead_GivesTheSameVersion()
    {
        await Store.PutAsync("l/1", Text("one"), Precondition.None, Stopping);

        await foreach (var info in Store.ListAsync("l/", Stopping))
        {
            Assert.Equal(await Store.HeadAsync("l/1", Stopping), info with { LastModified = info.LastModified });
        }
    }

    [Theory]
    [InlineData(""), InlineData("/etc/passwd"), InlineData("../a"), InlineData("a/../../b"), InlineData("a//b"), InlineData("a/"), InlineData("a/./b")]
    [InlineData("a\\b"), InlineData("a/..\\b"), InlineData("a\0b"), InlineData("a\nb"), InlineData(".tmp/x"), InlineData("a/.hidden"), InlineData("a."), InlineData("a./b"), InlineData("ä")]
    [Trait("Invariant", "12")]
    public async Task AnyMethod_KeyCouldEscape_RefusesIt(string key)
    {
        Func<Task>[] calls =
        [
            () => Store.PutAsync(key, Text("x"), Precondition.None, Stopping),
            () => Store.FindAsync(key, Stopping),
            () => Store.HeadAsync(key, Stopping),
            () => Store.ReadAsync(key, 0, new byte[1], Stopping),
            () => Store.ReadAllAsync(key, [new byte[1]], Stopping),
            () => Store.TouchAsync(key, Stopping),
            () => Store.DeleteAsync(key, Precondition.None, Stopping),
        ];
        foreach (var call in calls)
        {
            Assert.Equal("InvalidName", (await Assert.ThrowsAsync<StorageException>(call)).Code);
        }
    }

    [Theory, InlineData("../"), InlineData("/"), InlineData("a/../"), InlineData(".locks"), InlineData("a\\")]
    public async Task ListAsync_PrefixCouldEscape_RefusesIt(string prefix) =>
        Assert.Equal("InvalidName", (await Assert.ThrowsAsync<StorageException>(() => Store.ListKeysAsync(prefix))).Code);

    [Fact]
    public async Task PutAsync_CallerHasCancelled_Throws()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store.PutAsync("a", Text("1"), Precondition.None, cancelled.Token));
        Assert.Null(await Store.FindAsync("a", Stopping));
    }
}
