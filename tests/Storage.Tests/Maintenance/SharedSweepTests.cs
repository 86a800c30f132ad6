using Granary.Storage.Chunks;
using Granary.Storage.Maintenance;
using Granary.Storage.Objects;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Storage.Tests.Maintenance;

/// <summary>The sweep of <c>shared</c>, in a store where an earlier build let a tenant have that name.</summary>
[Trait("Invariant", "3")]
public sealed class SharedSweepTests
{
    private readonly FakeTimeProvider _time = new() { AutoAdvanceAmount = TimeSpan.FromMilliseconds(1) };
    private readonly InMemoryObjectStore _objects;
    private readonly StoredContexts _contexts;

    public SharedSweepTests()
    {
        _objects = new InMemoryObjectStore(_time);
        _contexts = new StoredContexts(_objects, _time, mostInlineTokenIds: 8, ChunkIdentity.SharedTenant);
    }

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    private static int[] Ids(int first) => [.. Enumerable.Range(first, 20)];

    [Fact]
    public async Task RunAsync_TenantHadThatName_KeepsWhatItsContextsName()
    {
        await _contexts.CreateAsync("a", Ids(1), Stopping);
        await _contexts.CreateAsync("over", Ids(500), Stopping, life: TimeSpan.FromHours(1)); // no sweep expires it
        await _contexts.CreateAsync("gone", Ids(1000), Stopping);
        await _contexts.DeleteAsync("gone", Stopping);
        _time.Advance(TimeSpan.FromDays(30));

        var report = await SweepAsync();

        Assert.Equal((2, 9, 3, 3, 1), (report.Contexts, report.Chunks, report.DeletedChunks, report.TokenBlobs, report.DeletedTokenBlobs));
        await _contexts.AssertWholeAsync("a", Stopping);
        await _contexts.AssertWholeAsync("over", Stopping);
    }

    [Fact]
    public async Task RunAsync_TenantHadThatNameAndHasNoChunks_KeepsItsTokenBlobs()
    {
        await _contexts.CreateAsync("a", Ids(1), Stopping);
        await foreach (var chunk in _objects.ListAsync("chunks/", Stopping))
        {
            await _objects.DeleteAsync(chunk.Key, Precondition.None, Stopping);
        }

        _time.Advance(TimeSpan.FromDays(30));

        Assert.Equal((1, 0), ((await SweepAsync()).TokenBlobs, (await SweepAsync()).DeletedTokenBlobs));
        Assert.Single(await _objects.ListAsync("tokens/", Stopping).ToListAsync(Stopping));
    }

    [Fact]
    public async Task RunAsync_AnotherTenantsContext_NamesNothingThere()
    {
        await new StoredContexts(_objects, _time, mostInlineTokenIds: 8).CreateAsync("a", Ids(1), Stopping);
        await _contexts.CreateAsync("a", Ids(1), Stopping);
        await _contexts.DeleteAsync("a", Stopping);
        _time.Advance(TimeSpan.FromDays(30));

        var report = await SweepAsync();

        Assert.Equal((0, 3, 1), (report.Contexts, report.DeletedChunks, report.DeletedTokenBlobs)); // the blob of the same ids lies under each tenant's name
        await new StoredContexts(_objects, _time).AssertWholeAsync("a", Stopping);
    }

    private Task<StoreSweepReport> SweepAsync() => new StoreSweep(_objects, _time).RunAsync(
        ChunkIdentity.SharedTenant, new StoreSweepOptions(TimeSpan.FromDays(1), DryRun: false, MostDeletesPerSecond: 1000), static _ => { }, Stopping);
}
