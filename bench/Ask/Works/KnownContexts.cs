using System.Globalization;
using Granary.Bench.Ask.Silos;
using Granary.Naming;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;

namespace Granary.Bench.Ask.Works;

/// <summary>Many contexts on one text: one is created, the others are its manifest under other names, as forks are.</summary>
internal static class KnownContexts
{
    private const int AtOnce = 8;

    /// <summary>Gets a context's name.</summary>
    public static string NameOf(int index) => string.Create(CultureInfo.InvariantCulture, $"known-{index:D6}");

    /// <summary>Commits the manifests of contexts 1 and up.</summary>
    /// <param name="store">Where the context 0 is.</param>
    /// <param name="count">How many there are afterwards.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task CopyAsync(IObjectStore store, int count, CancellationToken cancellationToken)
    {
        var manifests = new ManifestStore(store);
        var first = await manifests.FindAsync(Names.DefaultTenant, BenchCluster.ModelId, NameOf(0), cancellationToken) ?? throw new InvalidOperationException("The context was not stored.");
        await Parallel.ForEachAsync(Enumerable.Range(1, count - 1), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken }, async (index, token) =>
            await manifests.CommitAsync(first.Manifest with { Name = NameOf(index), Incarnation = Guid.NewGuid().ToString("N") }, previous: null, token));
    }
}
