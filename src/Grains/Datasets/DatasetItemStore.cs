using System.Buffers;
using System.Text.Json;
using Granary.Datasets;
using Granary.Errors;
using Granary.Storage.Objects;

namespace Granary.Grains.Datasets;

/// <summary>A data set's items on their way from its coordinator to its shards: <c>datasets/{tenant}/{name}/{digest}/{shard:D5}.{part:D4}[.last].json</c>.</summary>
internal sealed class DatasetItemStore(IObjectStore store)
{
    /// <summary>Finds the shards that are not complete in the store.</summary>
    public async Task<int[]> FindMissingAsync(DatasetId dataset, string digest, int shards, CancellationToken cancellationToken)
    {
        var complete = new HashSet<int>();
        await foreach (var part in store.ListAsync(Prefix(dataset, digest), cancellationToken))
        {
            if (part.Key.EndsWith(".last.json", StringComparison.Ordinal))
            {
                complete.Add(ShardOf(part.Key));
            }
        }

        return [.. Enumerable.Range(0, shards).Where(shard => !complete.Contains(shard))];
    }

    /// <summary>Puts one part of a shard. The last part makes the shard complete.</summary>
    public async Task PutAsync(DatasetId dataset, PutItemsRequest request, CancellationToken cancellationToken)
    {
        var key = $"{Prefix(dataset, request.Digest)}{request.Shard:D5}.{request.Part:D4}{(request.Last ? ".last" : "")}.json";
        await store.PutAsync(key, new ReadOnlySequence<byte>(JsonSerializer.SerializeToUtf8Bytes(request.Items)), Precondition.None, cancellationToken);
    }

    /// <summary>Reads a shard's items, in order.</summary>
    public async Task<DatasetItem[]> ReadAsync(DatasetId dataset, string digest, int shard, CancellationToken cancellationToken)
    {
        var items = new List<DatasetItem>();
        var complete = false;
        await foreach (var part in store.ListAsync($"{Prefix(dataset, digest)}{shard:D5}.", cancellationToken))
        {
            var found = await store.FindAsync(part.Key, cancellationToken);
            items.AddRange(found is null ? [] : Parse(part.Key, found.Content));
            complete |= part.Key.EndsWith(".last.json", StringComparison.Ordinal);
        }

        return complete
            ? [.. items]
            : throw new GranaryException(
                ErrorCodes.DatasetInvalid, $"The items of shard {shard} of data set '{dataset}' are not complete in the store.", "Run granary dataset precompute with the data set's file again.");
    }

    private static string Prefix(DatasetId dataset, string digest) => $"datasets/{dataset.Tenant}/{dataset.Name}/{digest}/";

    private static int ShardOf(string key) => int.Parse(key.AsSpan(key.LastIndexOf('/') + 1, 5), System.Globalization.CultureInfo.InvariantCulture);

    private static DatasetItem[] Parse(string key, byte[] content)
    {
        try
        {
            return JsonSerializer.Deserialize<DatasetItem[]>(content) ?? [];
        }
        catch (JsonException e)
        {
            throw new GranaryException(
                ErrorCodes.DatasetInvalid, $"The stored items at '{key}' cannot be read: {e.Message}", "Delete that object and run granary dataset precompute again.");
        }
    }
}
