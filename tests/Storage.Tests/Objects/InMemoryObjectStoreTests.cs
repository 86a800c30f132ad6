using Granary.Storage.Objects;
using Microsoft.Extensions.Time.Testing;
using static Granary.Storage.Tests.Objects.Bytes;

namespace Granary.Storage.Tests.Objects;

public sealed class InMemoryObjectStoreTests : ObjectStoreContract
{
    private readonly FakeTimeProvider _time = new();

    public InMemoryObjectStoreTests() => Store = new InMemoryObjectStore(_time);

    protected override IObjectStore Store { get; }

    [Fact]
    public async Task TouchAsync_TimeHasPassed_RaisesLastModified()
    {
        await Store.PutAsync("a", Text("1"), Precondition.None, Stopping);
        _time.Advance(TimeSpan.FromHours(2));

        await Store.TouchAsync("a", Stopping);

        Assert.Equal(_time.GetUtcNow(), (await Store.HeadAsync("a", Stopping))!.LastModified);
    }

    [Fact]
    public async Task ListAsync_MoreThanAPage_GivesAllOnce()
    {
        var keys = Enumerable.Range(0, 1000).Select(i => $"k/{i:D4}").ToList();
        foreach (var key in keys)
        {
            await Store.PutAsync(key, Text(""), Precondition.None, Stopping);
        }

        Assert.Equal(keys, await Store.ListKeysAsync("k/"));
    }
}
