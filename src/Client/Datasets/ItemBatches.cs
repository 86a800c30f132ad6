using Granary.Datasets;

namespace Granary.Client.Datasets;

/// <summary>Cuts items into calls of at most 1 MiB of text; one larger item travels alone.</summary>
internal static class ItemBatches
{
    /// <summary>The most text of one call, in UTF-8 bytes.</summary>
    public const int BatchBytes = 1 << 20;

    /// <summary>Gets the batches, in order.</summary>
    /// <param name="items">The items.</param>
    /// <param name="bytesOf">How much of an item travels.</param>
    /// <returns>Batches of at least one item.</returns>
    public static IEnumerable<DatasetItem[]> Of(IEnumerable<DatasetItem> items, Func<DatasetItem, long> bytesOf)
    {
        var batch = new List<DatasetItem>();
        var bytes = 0L;
        foreach (var item in items)
        {
            var itemBytes = bytesOf(item);
            if (batch.Count > 0 && bytes + itemBytes > BatchBytes)
            {
                yield return [.. batch];
                batch.Clear();
                bytes = 0;
            }

            batch.Add(item);
            bytes += itemBytes;
        }

        if (batch.Count > 0)
        {
            yield return [.. batch];
        }
    }
}
