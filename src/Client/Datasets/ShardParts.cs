using Granary.Datasets;

namespace Granary.Client.Datasets;

/// <summary>Cuts a shard into calls of at most 1 MiB of text; one larger item travels alone.</summary>
internal static class ShardParts
{
    /// <summary>The most text of one call, in UTF-8 bytes.</summary>
    public const int PartBytes = 1 << 20;

    /// <summary>Gets the calls that carry a shard, in order.</summary>
    /// <param name="source">The data set.</param>
    /// <param name="shard">The shard, from 0.</param>
    /// <returns>At least one call; the last is marked.</returns>
    public static IEnumerable<PutItemsRequest> Of(DatasetSource source, int shard)
    {
        var parts = new List<DatasetItem[]>();
        var items = new List<DatasetItem>();
        var bytes = 0L;
        foreach (var item in source.Items.Skip(shard * DatasetId.ShardItems).Take(DatasetId.ShardItems))
        {
            var itemBytes = ItemSize.Of(item);
            if (items.Count > 0 && bytes + itemBytes > PartBytes)
            {
                parts.Add([.. items]);
                items.Clear();
                bytes = 0;
            }

            items.Add(item);
            bytes += itemBytes;
        }

        parts.Add([.. items]);
        return parts.Select((part, index) => new PutItemsRequest
        {
            Digest = source.Digest,
            Shard = shard,
            Part = index,
            Last = index == parts.Count - 1,
            Items = part,
        });
    }
}
