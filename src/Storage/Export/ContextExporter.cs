using System.Globalization;
using Granary.Storage.Chunks;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Storage.Specs;
using Microsoft.Win32.SafeHandles;

namespace Granary.Storage.Export;

/// <summary>Writes a stored context as one safetensors file in Hugging Face's layout.</summary>
/// <remarks>Chunk by chunk: each is checked as every reader checks it, and its rows go where the whole context's tensors have them. Format: docs/formats.md.</remarks>
/// <param name="store">Where the context is stored.</param>
/// <param name="time">Tells whether a context has expired.</param>
public sealed class ContextExporter(IObjectStore store, TimeProvider time)
{
    private readonly ManifestStore _manifests = new(store);
    private readonly TenantStore _tenants = new(store);
    private readonly ChunkStore _chunks = new(store);
    private readonly ChunkInspector _inspector = new(store);

    /// <summary>Exports a context.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="model">The model id.</param>
    /// <param name="name">The context's name.</param>
    /// <param name="path">The file; it is written over, and means nothing unless the call succeeds.</param>
    /// <param name="progress">Told the tokens that are written, and all.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>What was written.</returns>
    /// <exception cref="StorageException">
    /// <c>ContextNotFound</c>: there is no such context. <c>FileNotFound</c>: its KV is not in the store, or cannot be trusted; ask it once with a silo, which computes and stores it.
    /// <c>ManifestInvalid</c>, <c>StoreUnavailable</c>: see the message.
    /// </exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public async Task<ExportedContext> ExportAsync(string tenant, string model, string name, string path, Action<int, int> progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(progress);
        var manifest = (await _manifests.FindAsync(tenant, model, name, cancellationToken).ConfigureAwait(false))?.Manifest;
        if (manifest is null || !manifest.IsAliveAt(time.GetUtcNow()))
        {
            throw new StorageException(StorageErrorCodes.ContextNotFound, $"There is no context '{name}' of model '{model}'.", "granary context list shows what there is.");
        }

        // Each numerics id holds all of the context: which of several is exported does not matter for long, so it is always the same.
        var (numerics, named) = manifest.Chunks.OrderBy(static entry => entry.Key, StringComparer.Ordinal).FirstOrDefault();
        var pages = named is { Length: > 0 } ? await PagesOfAsync(manifest, numerics, named, cancellationToken).ConfigureAwait(false) : throw Unavailable(manifest, 0, "none of its pages is stored");
        var shape = pages[0].Shape;
        var header = ExportHeader.Build(manifest, numerics, shape);
        var length = header.Length + shape.KvBytes(manifest.TokenIds.Length) + ((long)sizeof(int) * manifest.TokenIds.Length);
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write, preallocationSize: length);
        await RandomAccess.WriteAsync(file, header, 0, cancellationToken).ConfigureAwait(false);
        for (var index = 0; index < pages.Length; index++)
        {
            var kv = new byte[pages[index].KvBytes];
            var read = await _chunks.ReadAsync(pages[index], named[index].Checksum, kv, cancellationToken).ConfigureAwait(false);
            if (read.Fault is { } fault)
            {
                throw Unavailable(manifest, pages[index].Start, fault == ChunkFault.Absent ? "it is not in the store" : $"it is damaged ({fault.Name()})");
            }

            await ScatterAsync(file, header.Length, pages[index], kv, manifest.TokenIds.Length, cancellationToken).ConfigureAwait(false);
            progress(pages[index].Start + pages[index].Count, manifest.TokenIds.Length);
        }

        await RandomAccess.WriteAsync(file, LittleEndian.Bytes(manifest.TokenIds).ToArray(), length - ((long)sizeof(int) * manifest.TokenIds.Length), cancellationToken).ConfigureAwait(false);
        return new ExportedContext(manifest.Version, numerics, shape.Dtype, manifest.TokenIds.Length, length);
    }

    // Each head of each tensor of a chunk is one stretch of the whole's.
    private static async Task ScatterAsync(SafeFileHandle file, long dataStart, ChunkIdentity page, byte[] kv, int tokens, CancellationToken cancellationToken)
    {
        var shape = page.Shape;
        var rowBytes = shape.TensorBytes(1) / shape.KvHeads;
        var stretch = (int)(rowBytes * page.Count);
        for (var head = 0; head < 2 * shape.Layers * shape.KvHeads; head++)
        {
            var at = dataStart + (((long)head * tokens) + page.Start) * rowBytes;
            await RandomAccess.WriteAsync(file, kv.AsMemory(head * stretch, stretch), at, cancellationToken).ConfigureAwait(false);
        }
    }

    // The shape stands in no manifest: the first chunk states it, and has to confirm it by its bytes.
    private async Task<ChunkIdentity[]> PagesOfAsync(ContextManifest manifest, string numerics, ManifestChunk[] named, CancellationToken cancellationToken)
    {
        var key = ChunkIdentity.KeyOf(manifest.ChunkTenant, manifest.Fingerprint, numerics, named[0].Hash);
        if (await store.HeadAsync(key, cancellationToken).ConfigureAwait(false) is not { } info)
        {
            throw Unavailable(manifest, 0, "it is not in the store");
        }

        var first = await _inspector.InspectAsync(info, cancellationToken).ConfigureAwait(false);
        var salt = await _tenants.FindSaltAsync(manifest.ChunkTenant, cancellationToken).ConfigureAwait(false);
        if (first.Identity is not { } identity || salt is null)
        {
            throw Unavailable(manifest, 0, first.Fault is { } fault ? $"it is damaged ({fault.Name()})" : "the salt of its chunks is missing");
        }

        var pages = ChunkChain.Of(salt, manifest.Fingerprint, numerics, manifest.TokenIds, named[0].Count, manifest.ChunkTenant, identity.Shape);
        return pages.Length == named.Length ? pages : throw Unavailable(manifest, 0, "the manifest names other pages than its token ids have");
    }

    private static StorageException Unavailable(ContextManifest manifest, int start, string why) => new(
        StorageErrorCodes.FileNotFound,
        string.Create(CultureInfo.InvariantCulture, $"The page of '{manifest.Name}' at token {start} cannot be exported: {why}."),
        $"Ask the context once (granary context ask {manifest.Name} --model {manifest.Model} …): what is missing or damaged is computed and stored again.");
}

/// <summary>What an export wrote.</summary>
/// <param name="Version">The context's version.</param>
/// <param name="Numerics">The numerics id of its KV.</param>
/// <param name="Dtype">Its KV's dtype.</param>
/// <param name="Tokens">Its tokens.</param>
/// <param name="Bytes">The file's bytes.</param>
public sealed record ExportedContext(long Version, string Numerics, string Dtype, int Tokens, long Bytes);
