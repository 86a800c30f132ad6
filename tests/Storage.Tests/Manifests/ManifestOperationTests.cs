using Granary.Storage.Manifests;

namespace Granary.Storage.Tests.Manifests;

public sealed class ManifestOperationTests
{
    [Fact]
    public void Newest_ManyChanges_PushOutNoAddition()
    {
        var additions = Enumerable.Range(0, 10).Select(static number => new ManifestOperation($"added-{number}", number + 1, number * 5, 5)).ToList();
        var changes = Enumerable.Range(0, 500).Select(static number => new ManifestOperation($"changed-{number}", 11, 50)).ToList();

        var kept = ManifestOperation.Newest([.. additions, .. changes]);

        Assert.Equal(ContextManifest.FewestOperations, kept.Count);
        Assert.Equal([.. additions, .. changes.TakeLast(ContextManifest.FewestOperations - additions.Count)], kept);
    }

    [Fact]
    public void Newest_ManyAdditions_LeaveTheLastChangesAndTheNewest()
    {
        var changes = Enumerable.Range(0, 40).Select(static number => new ManifestOperation($"changed-{number}", 1, 5)).ToList();
        var additions = Enumerable.Range(0, 60).Select(static number => new ManifestOperation($"added-{number}", number + 2, 5 + number, 1)).ToList();

        var kept = ManifestOperation.Newest([.. changes, .. additions]);

        Assert.Equal(ContextManifest.FewestOperations, kept.Count);
        Assert.Equal(additions, kept.TakeLast(additions.Count));
        Assert.Equal([new ManifestOperation("deleted", 1)], ManifestOperation.Newest([new ManifestOperation("deleted", 1)]));
    }

    [Fact]
    public void Newest_ManyInAShortTime_LeavesAllOfTheLastMinutesAndSomeOlder()
    {
        var now = DateTimeOffset.UnixEpoch;
        var old = Enumerable.Range(0, 100).Select(number => Added(number, now)).ToList();
        var recent = Enumerable.Range(100, 500).Select(number => Added(number, now + ContextManifest.OperationsTime + TimeSpan.FromSeconds(number))).ToList();
        var still = recent.Where(operation => operation.Done >= recent[^1].Done - ContextManifest.OperationsTime).ToList();

        Assert.Equal(121, still.Count);
        Assert.Equal(still, ManifestOperation.Newest([.. old, .. recent]));
        Assert.Equal([.. old.TakeLast(54), .. recent.Take(10)], ManifestOperation.Newest([.. old, .. recent.Take(10)]));
    }

    [Fact]
    public void Newest_TooManyInAShortTime_LeavesTheLast()
    {
        var many = Enumerable.Range(0, ContextManifest.MaxOperations + 5).Select(static number => Added(number, DateTimeOffset.UnixEpoch)).ToList();

        Assert.Equal(many.Skip(5), ManifestOperation.Newest(many));
    }

    private static ManifestOperation Added(int number, DateTimeOffset done) => new($"added-{number}", number + 1, number, 1, done);
}
