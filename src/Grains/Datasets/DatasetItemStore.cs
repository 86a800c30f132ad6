using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Granary.Datasets;
using Granary.Errors;
using Granary.Storage.Errors;
using Granary.Storage.Objects;
using Granary.Storage.Sealing;

namespace Granary.Grains.Datasets;

/// <summary>A data set's items on their way from its coordinator to its shards: <c>datasets/{tenant}/{name}/{digest}/{shard:D5}.{part:D4}[.last].json</c>.</summary>
/// <remarks>
/// Each part is a sealed document (<see cref="SealedDocument"/>): a damaged one, or that of another data set, digest, shard or number, is refused by name. It is taken away then, so that
/// the next precompute, which looks at names alone, finds its shard missing and uploads it again.
/// </remarks>
internal sealed class DatasetItemStore(IObjectStore store)
{
    /// <summary>Finds the shards that are not complete in the store.</summary>
    public async Task<int[]> FindMissingAsync(DatasetId dataset, string digest, int shards, CancellationToken cancellationToken)
    {
        var keys = await store.ListAsync(Prefix(dataset, digest), cancellationToken).Select(static part => part.Key).ToHashSetAsync(StringComparer.Ordinal, cancellationToken);
        return [.. Enumerable.Range(0, shards).Where(shard => PartsOf(dataset, digest, shard, keys) is null)];
    }

    /// <summary>Puts one part of a shard. The last part makes the shard complete.</summary>
    public async Task PutAsync(DatasetId dataset, PutItemsRequest request, CancellationToken cancellationToken)
    {
        var key = KeyOf(dataset, request.Digest, request.Shard, request.Part, request.Last);
        var content = SealedDocument.Seal(key, JsonSerializer.SerializeToUtf8Bytes(request.Items));
        await store.PutAsync(key, new ReadOnlySequence<byte>(content), Precondition.None, cancellationToken);
    }

    /// <summary>Reads a shard's items, in order.</summary>
    public async Task<DatasetItem[]> ReadAsync(DatasetId dataset, string digest, int shard, CancellationToken cancellationToken)
    {
        var listed = await store.ListAsync($"{Prefix(dataset, digest)}{shard:D5}.", cancellationToken)
            .ToDictionaryAsync(static part => part.Key, static part => part.Version, StringComparer.Ordinal, cancellationToken);
        var items = new List<DatasetItem>();
        foreach (var key in PartsOf(dataset, digest, shard, listed.Keys) ?? throw Incomplete(dataset, shard))
        {
            StoredObject found;
            try
            {
                found = await store.FindAsync(key, cancellationToken) ?? throw Incomplete(dataset, shard);
            }
            catch (StorageException e) when (e.Code == ErrorCodes.RequestTooLarge)
            {
                await TakeAwayAsync(key, listed[key], cancellationToken);
                throw Invalid(key, "it is longer than any document");
            }

            if (!TryParse(key, found.Content, out var part, out var fault))
            {
                await TakeAwayAsync(key, found.Version, cancellationToken);
                throw Invalid(key, fault);
            }

            items.AddRange(part);
        }

        return [.. items];
    }

    private async Task TakeAwayAsync(string key, ObjectVersion bad, CancellationToken cancellationToken)
    {
        try
        {
            await store.DeleteAsync(key, Precondition.Unchanged(bad), cancellationToken);
        }
        catch (Exception e) when (e is ObjectConflictException or StorageException)
        {
            // It is being put right already; or the store changes nothing now, and the next read tries again.
        }
    }

    // The keys of a shard's parts, from the first to the last; null where one is missing.
    private static List<string>? PartsOf(DatasetId dataset, string digest, int shard, ICollection<string> keys)
    {
        var parts = new List<string>();
        while (!keys.Contains(KeyOf(dataset, digest, shard, parts.Count, last: true)))
        {
            var key = KeyOf(dataset, digest, shard, parts.Count, last: false);
            if (!keys.Contains(key))
            {
                return null;
            }

            parts.Add(key);
        }

        return [.. parts, KeyOf(dataset, digest, shard, parts.Count, last: true)];
    }

    private static bool TryParse(string key, byte[] content, out DatasetItem[] items, [NotNullWhen(false)] out string? fault)
    {
        items = [];
        if (!SealedDocument.TryOpen(key, content, out var json, out fault))
        {
            return false;
        }

        try
        {
            items = JsonSerializer.Deserialize<DatasetItem[]>(json.Span) ?? [];
            return true;
        }
        catch (JsonException e)
        {
            fault = $"its content is no list of items: {e.Message}";
            return false;
        }
    }

    private static GranaryException Invalid(string key, string fault) => new(
        ErrorCodes.DatasetInvalid,
        $"The stored items at '{key}' cannot be trusted: {fault}.",
        "Run granary dataset precompute with the data set's file again: the object was taken away, and is written anew.");

    private static GranaryException Incomplete(DatasetId dataset, int shard) => new(
        ErrorCodes.DatasetInvalid, $"The items of shard {shard} of data set '{dataset}' are not complete in the store.", "Run granary dataset precompute with the data set's file again.");

    private static string KeyOf(DatasetId dataset, string digest, int shard, int part, bool last) => $"{Prefix(dataset, digest)}{shard:D5}.{part:D4}{(last ? ".last" : "")}.json";

    private static string Prefix(DatasetId dataset, string digest) => $"datasets/{dataset.Tenant}/{dataset.Name}/{digest}/";
}
