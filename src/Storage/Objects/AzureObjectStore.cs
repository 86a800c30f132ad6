using System.Buffers;
using System.Runtime.CompilerServices;
using Azure;
using Azure.Storage;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Granary.Storage.Errors;

namespace Granary.Storage.Objects;

/// <summary>An object store in a container of Azure Blob Storage, which is created by the first write where it is missing.</summary>
/// <remarks>Source: learn.microsoft.com/rest/api/storageservices, "Specifying conditional headers for Blob service operations".</remarks>
/// <param name="container">The container; its client retries by itself.</param>
/// <param name="prefix">Is put in front of all keys, with a slash; empty for none.</param>
public sealed class AzureObjectStore(BlobContainerClient container, string prefix = "") : IObjectStore
{
    private const string WriteIdKey = "granarywrite";
    private const string TouchedKey = "granarytouch";
    private const int BlockLength = 4 << 20;
    private const int RangeLength = 8 << 20;
    private const int PartsAtOnce = 4;
    private const int MostReads = 4;
    private const int PageLength = 1000;

    private readonly string _start = prefix.Length == 0 ? "" : ObjectKey.Check(prefix) + "/";

    /// <inheritdoc/>
    public string Description { get; } = $"{container.Uri.GetLeftPart(UriPartial.Path)}{(prefix.Length == 0 ? "" : "/" + prefix)}";

    /// <inheritdoc/>
    public Task<ObjectVersion> PutAsync(string key, ReadOnlySequence<byte> content, Precondition precondition, CancellationToken cancellationToken) =>
        RunAsync(key, writing: true, async blob =>
        {
            var writeId = Guid.NewGuid().ToString("N");
            try
            {
                return await UploadAsync(blob, content, precondition, writeId, cancellationToken).ConfigureAwait(false);
            }
            catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.ContainerNotFound)
            {
                await container.CreateIfNotExistsAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
                return await UploadAsync(blob, content, precondition, writeId, cancellationToken).ConfigureAwait(false);
            }
        }, cancellationToken);

    /// <inheritdoc/>
    public Task<StoredObject?> FindAsync(string key, CancellationToken cancellationToken) =>
        RunAsync(key, writing: false, blob => OfOneVersionAsync(async () =>
        {
            if (await DownloadAsync(blob, default, cancellationToken).ConfigureAwait(false) is not { } answer)
            {
                return null;
            }

            using (answer)
            {
                var length = answer.Details.ContentLength;
                if (length > IObjectStore.MaxFindBytes)
                {
                    throw ObjectFaults.TooLarge(key, length);
                }

                var content = new byte[length];
                await answer.Content.ReadExactlyAsync(content, cancellationToken).ConfigureAwait(false);
                return new StoredObject(content, VersionOf(answer.Details.ETag));
            }
        }), cancellationToken);

    /// <inheritdoc/>
    public Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken) =>
        RunAsync(key, writing: false, async blob =>
        {
            var found = await FindPropertiesAsync(blob, cancellationToken).ConfigureAwait(false);
            return found is null ? null : new ObjectInfo(key, found.ContentLength, VersionOf(found.ETag), found.LastModified);
        }, cancellationToken);

    /// <inheritdoc/>
    public Task<ObjectVersion?> ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return RunAsync(key, writing: false, async blob =>
        {
            if (destination.Length == 0) // no range can say so
            {
                var found = await FindPropertiesAsync(blob, cancellationToken).ConfigureAwait(false);
                return found is null ? null : VersionOf(found.ETag);
            }

            try
            {
                return await OfOneVersionAsync(() => ReadRangesAsync(blob, offset, destination, cancellationToken)).ConfigureAwait(false);
            }
            catch (Exception e) when (e is EndOfStreamException or RequestFailedException { Status: 416 })
            {
                throw ObjectFaults.TooShort(key, offset, destination.Length);
            }
        }, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<bool> TouchAsync(string key, CancellationToken cancellationToken) =>
        RunAsync(key, writing: true, async blob =>
        {
            if (await FindPropertiesAsync(blob, cancellationToken).ConfigureAwait(false) is not { } found)
            {
                return false;
            }

            // Setting metadata replaces all of it: the write's id stays, so that its writer still recognises it.
            var metadata = new Dictionary<string, string>(found.Metadata, StringComparer.OrdinalIgnoreCase) { [TouchedKey] = Guid.NewGuid().ToString("N") };
            try
            {
                await blob.SetMetadataAsync(metadata, new BlobRequestConditions { IfMatch = found.ETag }, cancellationToken).ConfigureAwait(false);
                return true;
            }
            catch (RequestFailedException e) when (AzureFaults.IsRefusal(e))
            {
                return true; // written or touched by another in this moment, which is as good
            }
            catch (RequestFailedException e) when (AzureFaults.IsAbsent(e))
            {
                return false;
            }
        }, cancellationToken);

    /// <inheritdoc/>
    public Task<bool> DeleteAsync(string key, Precondition precondition, CancellationToken cancellationToken) =>
        RunAsync(key, writing: true, async blob =>
        {
            // Looked at first: a delete that finds nothing may be the retry of one's own, whose answer was lost.
            if (await FindPropertiesAsync(blob, cancellationToken).ConfigureAwait(false) is not { } found)
            {
                return false;
            }

            if (precondition.MustBeAbsent || (precondition.Version is { } version && version != VersionOf(found.ETag)))
            {
                throw new ObjectConflictException(key);
            }

            try
            {
                await blob.DeleteAsync(DeleteSnapshotsOption.IncludeSnapshots, ConditionsOf(precondition), cancellationToken).ConfigureAwait(false);
                return true;
            }
            catch (RequestFailedException e) when (AzureFaults.IsRefusal(e))
            {
                // Where the blob is gone, some services say 412 and some 404.
                return await FindPropertiesAsync(blob, cancellationToken).ConfigureAwait(false) is null ? true : throw new ObjectConflictException(key, e);
            }
            catch (RequestFailedException e) when (AzureFaults.IsAbsent(e))
            {
                return true;
            }
        }, cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var start = _start + ObjectKey.CheckPrefix(prefix);
        string? next = null;
        do
        {
            var page = await NextPageAsync(start, next, cancellationToken).ConfigureAwait(false);
            foreach (var item in page?.Values ?? [])
            {
                yield return new ObjectInfo(
                    item.Name[_start.Length..],
                    item.Properties.ContentLength ?? 0,
                    VersionOf(item.Properties.ETag ?? default),
                    item.Properties.LastModified ?? default);
            }

            next = page?.ContinuationToken;
        }
        while (!string.IsNullOrEmpty(next));
    }

    private async Task<ObjectVersion> UploadAsync(BlobClient blob, ReadOnlySequence<byte> content, Precondition precondition, string writeId, CancellationToken cancellationToken)
    {
        var options = new BlobUploadOptions
        {
            Conditions = ConditionsOf(precondition),
            Metadata = new Dictionary<string, string> { [WriteIdKey] = writeId },
            TransferOptions = new StorageTransferOptions { InitialTransferSize = BlockLength, MaximumTransferSize = BlockLength, MaximumConcurrency = PartsAtOnce },
        };
        try
        {
            using var stream = new SequenceStream(content);
            BlobContentInfo written = await blob.UploadAsync(stream, options, cancellationToken).ConfigureAwait(false);
            return VersionOf(written.ETag);
        }
        catch (RequestFailedException e) when (AzureFaults.IsRefusal(e) || (e.ErrorCode == BlobErrorCode.BlobNotFound && precondition.Version is not null))
        {
            // The SDK retries by itself: the write in our way may be our own first try, whose answer was lost.
            var found = await FindPropertiesAsync(blob, cancellationToken).ConfigureAwait(false);
            return found is not null && found.Metadata.TryGetValue(WriteIdKey, out var id) && id == writeId
                ? VersionOf(found.ETag)
                : throw new ObjectConflictException(blob.Name[_start.Length..], e);
        }
    }

    private async Task<Page<BlobItem>?> NextPageAsync(string start, string? next, CancellationToken cancellationToken)
    {
        try
        {
            var pages = container
                .GetBlobsAsync(new GetBlobsOptions { Prefix = start.Length == 0 ? null : start }, cancellationToken)
                .AsPages(next, PageLength);
            await foreach (var page in pages.ConfigureAwait(false))
            {
                return page;
            }

            return null;
        }
        catch (RequestFailedException e) when (AzureFaults.IsAbsent(e))
        {
            return null;
        }
        catch (Exception e) when (AzureFaults.Find(e, Description, writing: false, cancellationToken) is { } fault)
        {
            throw fault;
        }
    }

    // The first range's answer says which version the others must be of. They are read beside its body: one connection carries a fraction of what an account gives.
    private static async Task<ObjectVersion?> ReadRangesAsync(BlobClient blob, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        using var first = await DownloadAsync(blob, new HttpRange(offset, Math.Min(RangeLength, destination.Length)), cancellationToken).ConfigureAwait(false);
        if (first is null)
        {
            return null;
        }

        var ofThatVersion = new BlobRequestConditions { IfMatch = first.Details.ETag };
        var ranges = (destination.Length + RangeLength - 1) / RangeLength;
        // Ends only once no range is read any more, failed or not: the destination is borrowed.
        await Parallel.ForAsync(0, ranges, new ParallelOptions { MaxDegreeOfParallelism = PartsAtOnce, CancellationToken = cancellationToken }, async (range, stopping) =>
        {
            var start = range * RangeLength;
            var part = destination[start..Math.Min(start + RangeLength, destination.Length)];
            if (range == 0)
            {
                await first.Content.ReadExactlyAsync(part, stopping).ConfigureAwait(false);
                return;
            }

            var options = new BlobDownloadOptions { Range = new HttpRange(offset + start, part.Length), Conditions = ofThatVersion };
            using BlobDownloadStreamingResult answer = await blob.DownloadStreamingAsync(options, stopping).ConfigureAwait(false);
            await answer.Content.ReadExactlyAsync(part, stopping).ConfigureAwait(false);
        }).ConfigureAwait(false);
        return VersionOf(first.Details.ETag);
    }

    // The SDK continues a body that breaks off where it did, if the object is the same still. One that was replaced or deleted meanwhile is read from the
    // start, and so is one whose refusal broke off: the SDK reads the body of a 404 or 416 behind its retries.
    private static async Task<T> OfOneVersionAsync<T>(Func<Task<T>> read)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await read().ConfigureAwait(false);
            }
            catch (Exception e) when (attempt < MostReads && (e is RequestFailedException { Status: 404 or 412 } || (e is IOException and not EndOfStreamException)))
            {
                // Each time round another writer has changed it, or the network failed once more.
            }
        }
    }

    private static async Task<BlobDownloadStreamingResult?> DownloadAsync(BlobClient blob, HttpRange range, CancellationToken cancellationToken)
    {
        try
        {
            return await blob.DownloadStreamingAsync(new BlobDownloadOptions { Range = range }, cancellationToken).ConfigureAwait(false);
        }
        catch (RequestFailedException e) when (AzureFaults.IsAbsent(e))
        {
            return null;
        }
    }

    private static async Task<BlobProperties?> FindPropertiesAsync(BlobClient blob, CancellationToken cancellationToken)
    {
        try
        {
            return await blob.GetPropertiesAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        catch (RequestFailedException e) when (AzureFaults.IsAbsent(e))
        {
            return null;
        }
    }

    private async Task<T> RunAsync<T>(string key, bool writing, Func<BlobClient, Task<T>> act, CancellationToken cancellationToken)
    {
        var blob = container.GetBlobClient(_start + ObjectKey.Check(key));
        try
        {
            return await act(blob).ConfigureAwait(false);
        }
        catch (Exception e) when (AzureFaults.Find(e, Description, writing, cancellationToken) is { } fault)
        {
            throw fault;
        }
    }

    private static BlobRequestConditions? ConditionsOf(Precondition precondition) => precondition switch
    {
        { MustBeAbsent: true } => new() { IfNoneMatch = ETag.All },
        { Version: { } version } => new() { IfMatch = new ETag(version.ETag) },
        _ => null,
    };

    // "H", the header's form, has quotes always; listings come without, and a version must compare equal however it was read.
    private static ObjectVersion VersionOf(ETag etag) => new(etag.ToString("H"));
}
