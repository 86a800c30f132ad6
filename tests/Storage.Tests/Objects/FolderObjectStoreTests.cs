using System.Buffers;
using System.Runtime.Versioning;
using Granary.Storage.Errors;
using Granary.Storage.Objects;
using Microsoft.Extensions.Time.Testing;
using static Granary.Storage.Tests.Objects.Bytes;

namespace Granary.Storage.Tests.Objects;

public sealed class FolderObjectStoreTests : ObjectStoreContract, IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("granary-store-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero));
    private readonly FolderObjectStore _store;

    public FolderObjectStoreTests() => _store = new FolderObjectStore(_root, _time);

    protected override IObjectStore Store => _store;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task PutAsync_ObjectIsNew_IsTheFileOfItsKey()
    {
        await _store.PutAsync("models/m.json", Text("{}"), Precondition.Absent, Stopping);

        Assert.Equal("{}", await File.ReadAllTextAsync(Path.Combine(_root, "models", "m.json"), Stopping));
        Assert.Empty(Directory.GetFiles(Path.Combine(_root, ".tmp")));
        Assert.Equal(_root, _store.Description);
    }

    [Fact]
    public async Task TouchAsync_TimeHasPassed_RaisesLastModified()
    {
        await _store.PutAsync("a", Text("1"), Precondition.None, Stopping);
        Assert.Equal(_time.GetUtcNow(), (await _store.HeadAsync("a", Stopping))!.LastModified);
        _time.Advance(TimeSpan.FromHours(2));

        await _store.TouchAsync("a", Stopping);

        Assert.Equal(_time.GetUtcNow(), (await _store.HeadAsync("a", Stopping))!.LastModified);
    }

    [Fact, Trait("Invariant", "4")]
    public async Task PutAsync_ManyStoresOnOneFolder_CountsEveryIncrementOnce()
    {
        const int Writers = 6;
        const int Increments = 15;
        await _store.PutAsync("n", Text("0"), Precondition.Absent, Stopping);

        // Separate instances share nothing but the folder, as processes do; the kernel's locks count by open file.
        var conflicts = await Task.WhenAll(Enumerable.Range(0, Writers).Select(_ => Task.Run(async () =>
        {
            var store = new FolderObjectStore(_root, TimeProvider.System);
            var lost = 0;
            for (var done = 0; done < Increments;)
            {
                var read = await store.FindAsync("n", Stopping);
                var next = int.Parse(System.Text.Encoding.UTF8.GetString(read!.Content), null) + 1;
                try
                {
                    await store.PutAsync("n", Text($"{next}"), Precondition.Unchanged(read.Version), Stopping);
                    done++;
                }
                catch (ObjectConflictException)
                {
                    lost++;
                }
            }

            return lost;
        })));

        Assert.Equal($"{Writers * Increments}", await _store.FindTextAsync("n"));
        Assert.True(conflicts.Sum() > 0, "The writers never met, so this run has shown nothing.");
    }

    [Fact, Trait("Invariant", "4")]
    public async Task PutAsync_ManyStoresCreateOneKey_OneWins()
    {
        var stores = Enumerable.Range(0, 8).Select(_ => new FolderObjectStore(_root, TimeProvider.System)).ToArray();
        for (var round = 0; round < 10; round++)
        {
            var wins = await Task.WhenAll(stores.Select((store, i) => Task.Run(async () =>
            {
                try
                {
                    await store.PutAsync($"k/{round}", Text($"{i}"), Precondition.Absent, Stopping);
                    return true;
                }
                catch (ObjectConflictException)
                {
                    return false;
                }
            })));
            Assert.Single(wins, won => won);
            Assert.Equal($"{Array.IndexOf(wins, true)}", await _store.FindTextAsync($"k/{round}"));
        }
    }

    [Fact, Trait("Invariant", "4")]
    public async Task PutAsync_CrashBetweenVersionAndRename_RefusesTheOldVersionAndKeepsTheData()
    {
        var read = await _store.PutAsync("m", Text("1"), Precondition.Absent, Stopping);
        _store.BeforeRename = () => throw new InvalidOperationException("crash");
        await Assert.ThrowsAsync<InvalidOperationException>(() => _store.PutAsync("m", Text("2"), Precondition.Unchanged(read), Stopping));

        var restarted = new FolderObjectStore(_root, _time);
        await Assert.ThrowsAsync<ObjectConflictException>(() => restarted.PutAsync("m", Text("3"), Precondition.Unchanged(read), Stopping));
        var found = await restarted.FindAsync("m", Stopping);
        Assert.Equal("1"u8, found!.Content);
        await restarted.PutAsync("m", Text("4"), Precondition.Unchanged(found.Version), Stopping);
        Assert.Equal("4", await restarted.FindTextAsync("m"));
    }

    [Fact]
    public async Task PutAsync_CrashBeforeTheFirstRename_LeavesNoObject()
    {
        _store.BeforeRename = () => throw new InvalidOperationException("crash");
        await Assert.ThrowsAsync<InvalidOperationException>(() => _store.PutAsync("m", Text("1"), Precondition.Absent, Stopping));

        var restarted = new FolderObjectStore(_root, _time);
        Assert.Null(await restarted.FindAsync("m", Stopping));
        await restarted.PutAsync("m", Text("2"), Precondition.Absent, Stopping);
        Assert.Equal("2", await restarted.FindTextAsync("m"));
    }

    [Theory, InlineData(""), InlineData("garbage"), InlineData("00000000000000000001-0123456789abcdeX")]
    public async Task PutAsync_VersionRecordIsTorn_RefusesAndHeals(string record)
    {
        var read = await _store.PutAsync("m", Text("1"), Precondition.Absent, Stopping);
        await File.WriteAllTextAsync(Path.Combine(_root, ".etags", "m"), record, Stopping);

        await Assert.ThrowsAsync<ObjectConflictException>(() => _store.PutAsync("m", Text("2"), Precondition.Unchanged(read), Stopping));
        var found = await _store.FindAsync("m", Stopping);
        var next = await _store.PutAsync("m", Text("3"), Precondition.Unchanged(found!.Version), Stopping);
        Assert.Equal(next, (await _store.HeadAsync("m", Stopping))!.Version);
    }

    [Fact]
    public async Task FindAsync_DataWasCopiedInByHand_IsFoundAndMayBeReplaced()
    {
        Directory.CreateDirectory(Path.Combine(_root, "contexts"));
        await File.WriteAllTextAsync(Path.Combine(_root, "contexts", "a.json"), "by hand", Stopping);

        var found = await _store.FindAsync("contexts/a.json", Stopping);

        Assert.Equal("by hand"u8, found!.Content);
        await _store.PutAsync("contexts/a.json", Text("ours"), Precondition.Unchanged(found.Version), Stopping);
        await Assert.ThrowsAsync<ObjectConflictException>(() => _store.DeleteAsync("contexts/a.json", Precondition.Unchanged(found.Version), Stopping));
    }

    [Fact]
    public void Constructor_TemporaryFileIsOlderThanTheGrace_SweepsItAndNoYoungerOne()
    {
        var (old, young) = (Path.Combine(_root, ".tmp", "old"), Path.Combine(_root, ".tmp", "young"));
        File.WriteAllText(old, "");
        File.WriteAllText(young, "");
        File.SetLastWriteTimeUtc(old, _time.GetUtcNow().UtcDateTime.AddMinutes(-61));
        File.SetLastWriteTimeUtc(young, _time.GetUtcNow().UtcDateTime.AddMinutes(-59));

        _ = new FolderObjectStore(_root, _time);

        Assert.False(File.Exists(old));
        Assert.True(File.Exists(young));
    }

    [Fact]
    public async Task PutAsync_FileSystemIsFull_SaysSoAndLeavesNothing()
    {
        const string SharedMemory = "/dev/shm";
        Assert.SkipUnless(Directory.Exists(SharedMemory) && new DriveInfo(SharedMemory) is { DriveFormat: "tmpfs", TotalSize: > 0 and < 1L << 40 }, "Needs a tmpfs with a limit at /dev/shm");
        var root = Directory.CreateDirectory(Path.Combine(SharedMemory, $"granary-{Guid.NewGuid():N}")).FullName;
        try
        {
            var store = new FolderObjectStore(root, _time);
            // Longer than the whole file system, from one megabyte again and again: refused before a byte is written.
            var megabyte = new ReadOnlyMemory<byte>(new byte[1 << 20]);
            var parts = Enumerable.Repeat(megabyte, (int)(new DriveInfo(SharedMemory).TotalSize >> 20) + 1).ToArray();

            var full = await Assert.ThrowsAsync<StorageException>(() => store.PutAsync("big", ByteSegment.Join(parts), Precondition.Absent, Stopping));

            Assert.Equal("StoreFull", full.Code);
            Assert.Contains(root, full.Message, StringComparison.Ordinal);
            Assert.NotEmpty(full.Remedy);
            Assert.Null(await store.HeadAsync("big", Stopping));
            Assert.Empty(Directory.GetFiles(Path.Combine(root, ".tmp")));
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    [Fact]
    public void Constructor_PathIsAFileOrCannotBeCreated_SaysSo()
    {
        var file = Path.Combine(_root, "file");
        File.WriteAllText(file, "");

        foreach (var path in (string[])[file, Path.Combine(file, "below"), "/proc/granary"])
        {
            var fault = Assert.Throws<StorageException>(() => new FolderObjectStore(path, _time));
            Assert.Equal("StoreUnavailable", fault.Code);
            Assert.Contains(path, fault.Message, StringComparison.Ordinal);
        }
    }

    [Fact, SupportedOSPlatform("linux")]
    public async Task PutAsync_FolderIsReadOnly_SaysSoAndReadsGoOn()
    {
        await _store.PutAsync("a", Text("1"), Precondition.None, Stopping);
        using var readOnly = ReadOnlyFolder.Make(_root);
        var store = new FolderObjectStore(_root, _time);
        Assert.Equal("StoreReadOnly", (await Assert.ThrowsAsync<StorageException>(() => store.PutAsync("b", Text("1"), Precondition.None, Stopping))).Code);
        Assert.Equal("1", await store.FindTextAsync("a"));
    }

    [Theory, InlineData(30, "StoreReadOnly"), InlineData(28, "StoreFull"), InlineData(122, "StoreFull"), InlineData(5, "StoreUnavailable")]
    public void Find_SystemCallFailed_GivesTheCode(int error, string code)
    {
        var fault = FolderFaults.Find(new IOException("no", error), "/store", writing: true);

        Assert.Equal(code, fault!.Code);
        Assert.Contains("/store", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FindAsync_ObjectIsLongerThanTheLimit_RefusesIt()
    {
        var path = Path.Combine(_root, "huge");
        using (var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write))
        {
            RandomAccess.SetLength(file, IObjectStore.MaxFindBytes + 1);
        }

        Assert.Equal("RequestTooLarge", (await Assert.ThrowsAsync<StorageException>(() => _store.FindAsync("huge", Stopping))).Code);
    }

    [Fact]
    public async Task PutAsync_AnotherProcessHoldsTheLock_WaitsForIt()
    {
        await _store.PutAsync("m", Text("1"), Precondition.None, Stopping);
        var other = new FolderLocks(_root, _time);
        var held = await other.AcquireAsync("m", shared: false, Stopping);

        var put = _store.PutAsync("m", Text("2"), Precondition.None, Stopping);
        Assert.False(put.IsCompleted);
        held.Dispose();
        while (!put.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100)); // the wait may be armed only now
            await Task.Yield();
        }

        await put;
        Assert.Equal("2", await _store.FindTextAsync("m"));
    }

    [Fact]
    public async Task PutAsync_LockIsNeverFreed_GivesUp()
    {
        var other = new FolderLocks(_root, _time);
        using var held = await other.AcquireAsync("m", shared: false, Stopping);

        var put = _store.PutAsync("m", ReadOnlySequence<byte>.Empty, Precondition.None, Stopping);
        while (!put.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        Assert.Equal("StoreUnavailable", (await Assert.ThrowsAsync<StorageException>(() => put)).Code);
    }
}
