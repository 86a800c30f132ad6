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

        Assert.Equal(ContextManifest.MaxOperations, kept.Count);
        Assert.Equal([.. additions, .. changes.TakeLast(ContextManifest.MaxOperations - additions.Count)], kept);
    }

    [Fact]
    public void Newest_ManyAdditions_LeaveTheLastChangesAndTheNewest()
    {
        var changes = Enumerable.Range(0, 40).Select(static number => new ManifestOperation($"changed-{number}", 1, 5)).ToList();
        var additions = Enumerable.Range(0, 60).Select(static number => new ManifestOperation($"added-{number}", number + 2, 5 + number, 1)).ToList();

        var kept = ManifestOperation.Newest([.. changes, .. additions]);

        Assert.Equal(ContextManifest.MaxOperations, kept.Count);
        Assert.Equal(additions, kept.TakeLast(additions.Count));
        Assert.Equal([new ManifestOperation("deleted", 1)], ManifestOperation.Newest([new ManifestOperation("deleted", 1)]));
    }
}
