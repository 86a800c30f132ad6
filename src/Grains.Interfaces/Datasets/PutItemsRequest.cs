
namespace Granary.Datasets;

/// <summary>Items of one shard, on their way to the store. A call carries at most 1 MiB of text, so that a shard may take several.</summary>
[GenerateSerializer, Immutable, Alias("granary.put-items")]
public sealed record PutItemsRequest
{
    /// <summary>Gets the digest of the whole data set, SHA-256 in hexadecimal: names this content.</summary>
    [Id(0)]
    public required string Digest { get; init; }

    /// <summary>Gets the shard.</summary>
    [Id(1)]
    public required int Shard { get; init; }

    /// <summary>Gets the part of the shard, from 0, in order.</summary>
    [Id(2)]
    public required int Part { get; init; }

    /// <summary>Gets whether this is the shard's last part.</summary>
    [Id(3)]
    public required bool Last { get; init; }

    /// <summary>Gets the items.</summary>
    [Id(4)]
    public required DatasetItem[] Items { get; init; }
}
