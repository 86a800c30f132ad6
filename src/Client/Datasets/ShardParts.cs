using Granary.Datasets;

namespace Granary.Client.Datasets;

/// <summary>The calls that carry a shard.</summary>
internal static class ShardParts
{
    /// <summary>Gets the calls, in order.</summary>
    /// <param name="source">The data set.</param>
    /// <param name="shard">The shard, from 0.</param>
    /// <returns>At least one call; the last is marked.</returns>
    public static IEnumerable<PutItemsRequest> Of(DatasetSource source, int shard)
    {
        var parts = ItemBatches.Of(source.Items.Skip(shard * DatasetId.ShardItems).Take(DatasetId.ShardItems), ItemSize.Of).ToList();
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
