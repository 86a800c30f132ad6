using Granary.Storage.Errors;
using Granary.Storage.Maintenance;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Testing.Stores;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Storage.Tests.Maintenance;

public sealed class StoreSweepTests
{
    private static readonly StoreSweepOptions Daily = new(TimeSpan.FromDays(1), DryRun: false, MostDeletesPerSecond: 1000);

    private readonly FakeTimeProvider _time = new() { AutoAdvanceAmount = TimeSpan.FromMilliseconds(1) };
    private readonly InMemoryObjectStore _objects;
    private readonly StoredContexts _contexts;

    public StoreSweepTests()
    {
        _objects = new InMemoryObjectStore(_time);
        _contexts = new StoredContexts(_objects, _time);
    }

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    private static int[] Ids(int count, int first) => [.. Enumerable.Range(first, count)];

    [Fact]
    public async Task RunAsync_EverythingIsNamed_DeletesNothing()
    {
        await _contexts.CreateAsync("a", Ids(20, 1), Stopping);
        _time.Advance(TimeSpan.FromDays(30));

        var report = await SweepAsync(Daily);

        Assert.Equal((1, 3, 0, 0, 0), (report.Contexts, report.Chunks, report.UnreferencedChunks, report.DeletedChunks, report.Expired));
        await _contexts.AssertWholeAsync("a", Stopping);
    }

    [Fact]
    public async Task RunAsync_SharedPrefix_StaysWhileOneContextNamesIt()
    {
        await _contexts.CreateAsync("a", Ids(20, 1), Stopping); // pages of 8, 8 and 4
        await _contexts.CreateAsync("b", [.. Ids(16, 1), 99], Stopping); // shares the first two
        await _contexts.DeleteAsync("a", Stopping);
        _time.Advance(TimeSpan.FromDays(2));

        var report = await SweepAsync(Daily);

        Assert.Equal((1, 1, 4, 1), (report.Contexts, report.Tombstones, report.Chunks, report.DeletedChunks));
        await _contexts.AssertWholeAsync("b", Stopping);
        Assert.Null(await _contexts.Manifests.FindAsync(StoredContexts.Tenant, StoredContexts.Model, "a", Stopping));
    }

    [Fact]
    public async Task RunAsync_TimeIsOver_ExpiresAndThenDeletes()
    {
        await _contexts.CreateAsync("a", Ids(20, 1), Stopping, life: TimeSpan.FromHours(1));
        _time.Advance(TimeSpan.FromHours(2));

        var first = await SweepAsync(Daily);
        var tombstone = await _contexts.Manifests.FindAsync(StoredContexts.Tenant, StoredContexts.Model, "a", Stopping);
        _time.Advance(TimeSpan.FromDays(2));
        var second = await SweepAsync(Daily);

        Assert.Equal((1, 3, 0), (first.Expired, first.UnreferencedChunks, first.DeletedChunks)); // young
        Assert.Equal(ManifestStates.Deleted, tombstone!.Manifest.State);
        Assert.Equal((0, 1, 3), (second.Expired, second.Tombstones, second.DeletedChunks));
        Assert.Empty(await _objects.ListAsync("chunks/", Stopping).ToListAsync(Stopping));
    }

    [Fact]
    public async Task RunAsync_DryRun_TellsTheSameAndChangesNothing()
    {
        await _contexts.CreateAsync("a", Ids(20, 1), Stopping, life: TimeSpan.FromHours(1));
        await _contexts.CreateAsync("b", Ids(20, 500), Stopping);
        await _contexts.DeleteAsync("b", Stopping);
        _time.Advance(TimeSpan.FromDays(2));
        var before = await _objects.ListAsync("", Stopping).ToListAsync(Stopping);

        var told = await SweepAsync(Daily with { DryRun = true });

        Assert.Equal(before, await _objects.ListAsync("", Stopping).ToListAsync(Stopping));
        var done = await SweepAsync(Daily);
        Assert.Equal(told with { Unreadable = done.Unreadable }, done);
        Assert.Equal((1, 1, 6), (done.Expired, done.Tombstones, done.DeletedChunks));
    }

    [Fact, Trait("Invariant", "3")]
    public async Task RunAsync_ManifestCannotBeRead_DeletesNoChunk()
    {
        await _contexts.CreateAsync("a", Ids(20, 1), Stopping);
        await _objects.PutAsync("contexts/acme/tiny/a.json", new("{}"u8.ToArray()), Precondition.None, Stopping);
        _time.Advance(TimeSpan.FromDays(30));

        var report = await SweepAsync(Daily);

        Assert.Equal(["contexts/acme/tiny/a.json"], report.Unreadable);
        Assert.Equal((3, 0), (report.UnreferencedChunks, report.DeletedChunks));
    }

    [Fact]
    public async Task RunAsync_ChunkIsTouchedAfterItWasListed_StaysThere()
    {
        await _contexts.CreateAsync("a", Ids(8, 1), Stopping);
        await _contexts.DeleteAsync("a", Stopping);
        _time.Advance(TimeSpan.FromDays(30));
        var page = (await _contexts.PagesAsync(Ids(8, 1), Stopping))[0];

        // The first progress comes when all is listed: a writer finds the chunk just then.
        var report = await new StoreSweep(_objects, _time).RunAsync(
            StoredContexts.Tenant, Daily, at => Assert.True(at.Done > 1 || _objects.TouchAsync(page.Key, Stopping).GetAwaiter().GetResult()), Stopping);

        Assert.Equal((1, 0), (report.UnreferencedChunks, report.DeletedChunks));
        Assert.NotNull(await _objects.HeadAsync(page.Key, Stopping));
    }

    [Fact]
    public async Task RunAsync_TokenBlobs_StayWhileOneContextNamesThem()
    {
        var contexts = new StoredContexts(_objects, _time, mostInlineTokenIds: 8);
        await contexts.CreateAsync("a", Ids(20, 1), Stopping);
        await contexts.CreateAsync("b", Ids(20, 1), Stopping); // the same blob
        await contexts.CreateAsync("c", Ids(20, 500), Stopping);
        await contexts.DeleteAsync("a", Stopping);
        await contexts.DeleteAsync("c", Stopping);

        var young = await SweepAsync(Daily);
        Assert.Equal((2, 160, 1, 80, 0), (young.TokenBlobs, young.TokenBlobBytes, young.UnreferencedTokenBlobs, young.UnreferencedTokenBlobBytes, young.DeletedTokenBlobs));
        _time.Advance(TimeSpan.FromDays(2));
        var old = await SweepAsync(Daily);
        Assert.Equal((1, 80), (old.DeletedTokenBlobs, old.DeletedTokenBlobBytes));
        await contexts.AssertWholeAsync("b", Stopping);
        await contexts.DeleteAsync("b", Stopping);
        _time.Advance(TimeSpan.FromDays(2));
        Assert.Equal(1, (await SweepAsync(Daily)).DeletedTokenBlobs);
        Assert.Empty(await _objects.ListAsync("tokens/", Stopping).ToListAsync(Stopping));
    }

    [Fact, Trait("Invariant", "3")]
    public async Task RunAsync_ManifestCannotBeRead_DeletesNoTokenBlob()
    {
        var contexts = new StoredContexts(_objects, _time, mostInlineTokenIds: 8);
        await contexts.CreateAsync("a", Ids(20, 1), Stopping);
        await contexts.CreateAsync("b", Ids(20, 500), Stopping);
        await contexts.DeleteAsync("b", Stopping);
        var blob = await _objects.ListAsync("tokens/", Stopping).FirstAsync(Stopping);
        await _objects.PutAsync("contexts/acme/tiny/a.json", new("{}"u8.ToArray()), Precondition.None, Stopping);
        _time.Advance(TimeSpan.FromDays(30));

        var report = await SweepAsync(Daily);

        Assert.Equal((2, 0), (report.UnreferencedTokenBlobs, report.DeletedTokenBlobs));
        Assert.NotNull(await _objects.HeadAsync(blob.Key, Stopping));
    }

    [Fact, Trait("Invariant", "3")]
    public async Task RunAsync_TokenBlobIsDamaged_KeepsItsContextAndDeletesWhatNobodyNames()
    {
        var contexts = new StoredContexts(_objects, _time, mostInlineTokenIds: 8);
        await contexts.CreateAsync("a", Ids(20, 1), Stopping);
        var blob = await _objects.ListAsync("tokens/", Stopping).SingleAsync(Stopping);
        await contexts.CreateAsync("gone", Ids(20, 500), Stopping);
        await contexts.DeleteAsync("gone", Stopping);
        await _objects.PutAsync(blob.Key, new(new byte[blob.Length]), Precondition.None, Stopping);
        _time.Advance(TimeSpan.FromDays(30));

        var report = await SweepAsync(Daily);

        Assert.Empty(report.Unreadable);
        Assert.Equal((1, 3, 1), (report.Contexts, report.DeletedChunks, report.DeletedTokenBlobs));
        foreach (var page in await contexts.PagesAsync(Ids(20, 1), Stopping))
        {
            Assert.NotNull(await _objects.HeadAsync(page.Key, Stopping));
        }

        Assert.NotNull(await _objects.HeadAsync(blob.Key, Stopping));
        var check = await new StoreCheck(_objects, _time).RunAsync(StoredContexts.Tenant, repair: false, static _ => { }, Stopping);
        Assert.Equal([("contexts/acme/tiny/a.json", "manifest"), (blob.Key, "tokens")], check.Faults.Select(static fault => (fault.Key, fault.Kind)));
    }

    [Fact]
    public async Task RunAsync_TimeOfAContextWithABlobIsOver_ExpiresItAndReadsNoBlob()
    {
        var contexts = new StoredContexts(_objects, _time, mostInlineTokenIds: 8);
        await contexts.CreateAsync("a", Ids(20, 1), Stopping, life: TimeSpan.FromHours(1));
        await contexts.CreateAsync("b", Ids(20, 500), Stopping);
        _time.Advance(TimeSpan.FromDays(2));

        var report = await new StoreSweep(new NoBlobReads(_objects), _time).RunAsync(StoredContexts.Tenant, Daily, static _ => { }, Stopping);

        Assert.Equal((1, 1, 3, 1), (report.Contexts, report.Expired, report.DeletedChunks, report.DeletedTokenBlobs));
        var tombstone = (await contexts.Manifests.FindAsync(StoredContexts.Tenant, StoredContexts.Model, "a", Stopping))!; // its blob has gone
        Assert.Equal((ManifestStates.Deleted, 0), (tombstone.Manifest.State, tombstone.Manifest.TokenIds.Length));
        await contexts.AssertWholeAsync("b", Stopping);
    }

    [Fact]
    public async Task RunAsync_ContextWithTheSameIdsIsCreatedAfterTheListing_KeepsTheTokenBlob()
    {
        var contexts = new StoredContexts(_objects, _time, mostInlineTokenIds: 8);
        await contexts.CreateAsync("a", Ids(20, 1), Stopping);
        await contexts.DeleteAsync("a", Stopping);
        _time.Advance(TimeSpan.FromDays(30));

        // The first progress comes when all is listed and the tombstone read.
        var report = await new StoreSweep(_objects, _time).RunAsync(StoredContexts.Tenant, Daily, at =>
        {
            if (at.Done == 1)
            {
                contexts.CreateAsync("b", Ids(20, 1), Stopping).GetAwaiter().GetResult();
            }
        }, Stopping);

        Assert.Equal((1, 0), (report.UnreferencedTokenBlobs, report.DeletedTokenBlobs));
        await contexts.AssertWholeAsync("b", Stopping);
    }

    [Fact]
    public async Task RunAsync_IsCutOff_GoesOnWhenRunAgain()
    {
        await _contexts.CreateAsync("a", Ids(80, 1), Stopping);
        await _contexts.DeleteAsync("a", Stopping);
        _time.Advance(TimeSpan.FromDays(30));
        using var stopping = new CancellationTokenSource();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => new StoreSweep(_objects, _time).RunAsync(
            StoredContexts.Tenant, Daily, at => Assert.True(at.Done < 4 || stopping.CancelAsync() is not null), stopping.Token));

        var left = await _objects.ListAsync("chunks/", Stopping).CountAsync(Stopping);
        Assert.InRange(left, 1, 9);
        Assert.Equal(left, (await SweepAsync(Daily)).DeletedChunks);
    }

    [Fact]
    public async Task RunAsync_BesideWritersWhoseAnswersAreLost_TakesNothingThatIsNamedAndLeavesNothingBehind()
    {
        var objects = new InMemoryObjectStore(TimeProvider.System);
        var grace = TimeSpan.FromSeconds(2); // no creation here takes so long
        using var ending = new CancellationTokenSource();
        var sweeping = Task.Run(() => SweepUntilAsync(new UnsteadyStore(objects, 1, lost: 0.1), grace, ending.Token), Stopping);

        var writers = Enumerable.Range(0, 4).Select(writer => Task.Run(() => WriteAsync(new UnsteadyStore(objects, 10 + writer, lost: 0.1), writer, TimeSpan.FromSeconds(6)), Stopping)).ToArray();
        var alive = (await Task.WhenAll(writers)).SelectMany(static names => names).ToList();
        await ending.CancelAsync();
        var sweeps = await sweeping;

        var contexts = new StoredContexts(objects, TimeProvider.System);
        Assert.NotEmpty(alive);
        Assert.True(sweeps > 0);
        foreach (var name in alive)
        {
            await contexts.AssertWholeAsync(name, Stopping);
            await contexts.DeleteAsync(name, Stopping);
        }

        await new StoreSweep(objects, TimeProvider.System).RunAsync(StoredContexts.Tenant, new StoreSweepOptions(TimeSpan.Zero, false, 10_000), static _ => { }, Stopping);
        Assert.Empty(await objects.ListAsync("chunks/", Stopping).ToListAsync(Stopping));
        Assert.Empty(await objects.ListAsync("tokens/", Stopping).ToListAsync(Stopping));
        Assert.Empty(await objects.ListAsync("contexts/", Stopping).ToListAsync(Stopping));
    }

    // Creates, forks and deletes contexts that share prefixes with each other's; gives the names of those alive at the end.
    private static async Task<List<string>> WriteAsync(IObjectStore store, int writer, TimeSpan span)
    {
        var contexts = new StoredContexts(store, TimeProvider.System, mostInlineTokenIds: 12); // some name blobs
        var random = new Random(writer);
        var alive = new Dictionary<string, int[]>();
        var start = TimeProvider.System.GetTimestamp();
        for (var number = 0; TimeProvider.System.GetElapsedTime(start) < span; number++)
        {
            if (alive.Count > 3)
            {
                var old = alive.Keys.ElementAt(random.Next(alive.Count));
                await contexts.AssertWholeAsync(old, Stopping);
                await contexts.DeleteAsync(old, Stopping);
                alive.Remove(old);
            }

            // A few first pages for all writers, so that one deletes what another is about to find.
            int[] ids = alive.Count > 0 && random.Next(2) == 0
                ? [.. alive.Values.ElementAt(random.Next(alive.Count)), random.Next(1000)]
                : [.. Ids(8 * (1 + random.Next(3)), random.Next(3)), random.Next(1000)];
            var name = $"w{writer}-{number}";
            var began = TimeProvider.System.GetTimestamp();
            await contexts.CreateAsync(name, ids, Stopping);
            Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(2), "this machine is too busy: the creation took longer than the grace");
            alive[name] = ids;
        }

        return [.. alive.Keys];
    }

    private static async Task<int> SweepUntilAsync(IObjectStore store, TimeSpan grace, CancellationToken ending)
    {
        for (var sweeps = 0; ; sweeps++)
        {
            try
            {
                ending.ThrowIfCancellationRequested();
                await new StoreSweep(store, TimeProvider.System).RunAsync(StoredContexts.Tenant, new StoreSweepOptions(grace, false, 10_000), static _ => { }, ending);
            }
            catch (StorageException)
            {
                // An answer was lost: it is run again.
            }
            catch (OperationCanceledException)
            {
                return sweeps;
            }
        }
    }

    private Task<StoreSweepReport> SweepAsync(StoreSweepOptions options) => new StoreSweep(_objects, _time).RunAsync(StoredContexts.Tenant, options, static _ => { }, Stopping);

    private sealed class NoBlobReads(IObjectStore inner) : DelegatingStore(inner)
    {
        public override Task<StoredObject?> FindAsync(string key, CancellationToken cancellationToken) => base.FindAsync(Checked(key), cancellationToken);

        public override Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken) => base.HeadAsync(Checked(key), cancellationToken);

        private static string Checked(string key) => key.StartsWith("tokens/", StringComparison.Ordinal) ? throw new InvalidOperationException($"'{key}' was read.") : key;
    }
}
