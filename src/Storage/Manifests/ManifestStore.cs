using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Granary.Storage.Errors;
using Granary.Storage.Objects;
using Granary.Storage.Sealing;

namespace Granary.Storage.Manifests;

/// <summary>Reads and commits manifests, and the blobs of token ids that long ones name.</summary>
/// <remarks>Invariant 4: the manifest is the only commit, its version the fence. Format: this folder's README.</remarks>
/// <param name="store">Where manifests lie.</param>
/// <param name="mostInlineTokenIds">The most ids that stand in a manifest itself; of more, it names a blob.</param>
public sealed class ManifestStore(IObjectStore store, int mostInlineTokenIds = ManifestStore.MostInlineTokenIds)
{
    /// <summary>The most ids that stand in a manifest itself, unless a store is told otherwise.</summary>
    public const int MostInlineTokenIds = 4096;

    private const string Prefix = "contexts/";
    private const string Extension = ".json";
    private const int MostReads = 4;

    private readonly TokenBlobStore _blobs = new(store);

    /// <summary>Reads a context's manifest.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="model">The model id.</param>
    /// <param name="name">The context's name.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The manifest, which may be a tombstone, or <see langword="null"/> where there never was one or it is gone.</returns>
    /// <exception cref="StorageException">
    /// <c>ManifestInvalid</c>: it, or the blob of its token ids, cannot be trusted; restore that object, or delete the context and create it again.
    /// <c>StoreUnavailable</c>: the store does not answer.
    /// </exception>
    public Task<StoredManifest?> FindAsync(string tenant, string model, string name, CancellationToken cancellationToken) =>
        FindAsync(tenant, model, name, null, cancellationToken);

    /// <summary>Reads a context's manifest, and its token ids only where they are others than those that the caller knows.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="model">The model id.</param>
    /// <param name="name">The context's name.</param>
    /// <param name="known">What the caller read or committed before, if anything: the blob that it names is immutable, and was checked then.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The manifest, which may be a tombstone, or <see langword="null"/> where there never was one or it is gone.</returns>
    /// <exception cref="StorageException">As above.</exception>
    public async Task<StoredManifest?> FindAsync(string tenant, string model, string name, StoredManifest? known, CancellationToken cancellationToken)
    {
        for (var read = 1; ; read++)
        {
            if (await FindObjectAsync(tenant, model, name, cancellationToken).ConfigureAwait(false) is not { } found)
            {
                return null;
            }

            var document = Open(found.Content, tenant, model, name);
            if (document.TokenBlob is not { } blob)
            {
                return new StoredManifest(document.ToManifest(document.TokenIds ?? []), found.Version);
            }

            var (ids, fault, _) = known?.TokenBlob == blob && known.Manifest.Tenant == tenant
                ? (known.Manifest.TokenIds, null, null)
                : await _blobs.ReadAsync(tenant, blob, cancellationToken).ConfigureAwait(false);
            if (ids is not null)
            {
                return new StoredManifest(document.ToManifest(ids), found.Version) { TokenBlob = blob };
            }

            // A next version may have been committed, and the blob of this one collected, between the two reads.
            var now = await store.HeadAsync(KeyOf(tenant, model, name), cancellationToken).ConfigureAwait(false);
            if (now?.Version == found.Version || read == MostReads)
            {
                throw Invalid(tenant, model, name, [$"the blob of its token ids, '{TokenBlobStore.KeyOf(tenant, blob.Hash)}', is not right: {fault}"]);
            }
        }
    }

    /// <summary>Reads a context's manifest without its token ids, for who needs to know only what it names: the blob that they may lie in is not looked at.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="model">The model id.</param>
    /// <param name="name">The context's name.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>
    /// The manifest with no ids, and the name of their blob where they lie in one; or <see langword="null"/> where there is no manifest. <see cref="StoredManifest.TokenBlob"/>
    /// is not set, so that a commit on it that has no ids either, a tombstone, does not take the blob for its own.
    /// </returns>
    /// <exception cref="StorageException"><c>ManifestInvalid</c>: the manifest itself cannot be trusted. <c>StoreUnavailable</c>: the store does not answer.</exception>
    internal async Task<(StoredManifest Stored, TokenBlobName? TokenBlob)?> FindWithoutIdsAsync(string tenant, string model, string name, CancellationToken cancellationToken)
    {
        if (await FindObjectAsync(tenant, model, name, cancellationToken).ConfigureAwait(false) is not { } found)
        {
            return null;
        }

        var document = Open(found.Content, tenant, model, name);
        return (new StoredManifest(document.ToManifest([]), found.Version), document.TokenBlob);
    }

    /// <summary>Reads what a listing says of a context. The blob that its ids may lie in is not looked at.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="model">The model id.</param>
    /// <param name="name">The context's name.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The manifest without its token ids, how many they are, and its version; <see langword="null"/> where there is none.</returns>
    /// <exception cref="StorageException"><c>ManifestInvalid</c>: the manifest itself cannot be trusted. <c>StoreUnavailable</c>: the store does not answer.</exception>
    public async Task<(ContextManifest Manifest, int Tokens, ObjectVersion Version)?> FindSummaryAsync(string tenant, string model, string name, CancellationToken cancellationToken)
    {
        if (await FindObjectAsync(tenant, model, name, cancellationToken).ConfigureAwait(false) is not { } found)
        {
            return null;
        }

        var document = Open(found.Content, tenant, model, name);
        return (document.ToManifest([]), (int)document.TokenCount, found.Version);
    }

    /// <summary>Commits a context's next version. Once it returns, the version is durable and acknowledged.</summary>
    /// <param name="next">The manifest; its <see cref="ContextManifest.CommitId"/> is replaced by a fresh one.</param>
    /// <param name="previous">What was read, a tombstone too, which must be there still; <see langword="null"/> where nothing was, and nothing must be.</param>
    /// <param name="cancellationToken">Cancels; the commit may then have happened or not.</param>
    /// <returns>The manifest as committed.</returns>
    /// <exception cref="ObjectConflictException">Another writer was first, or it is not known who was; read again.</exception>
    /// <exception cref="StorageException">
    /// <c>ManifestInvalid</c>: the manifest breaks a limit, which the message names. <c>StoreUnavailable</c>, <c>StoreFull</c>, <c>StoreReadOnly</c>: see the message.
    /// </exception>
    public async Task<StoredManifest> CommitAsync(ContextManifest next, StoredManifest? previous, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(next);
        var key = KeyOf(next.Tenant, next.Model, next.Name);
        var attempt = Canonical(next) with { CommitId = Guid.NewGuid().ToString("N") };
        var kept = previous?.TokenBlob is { } named && previous.Manifest.TokenIds.AsSpan().SequenceEqual(attempt.TokenIds) ? named : null;
        var blob = kept ?? (attempt.TokenIds.Length > mostInlineTokenIds ? TokenBlobStore.NameOf(attempt.TokenIds) : null);
        var document = ManifestDocument.Of(attempt, blob);
        var faults = ManifestChecks.FaultsOf(document, attempt.TokenIds, next.Tenant, next.Model, next.Name).ToList();
        if (faults.Count > 0)
        {
            throw Invalid(next.Tenant, next.Model, next.Name, faults);
        }

        if (blob is not null && kept is null)
        {
            await _blobs.WriteAsync(next.Tenant, blob, attempt.TokenIds, cancellationToken).ConfigureAwait(false);
        }

        // A blob that is kept needs no touch: as long as the fence holds, no sweep has read a manifest that does not name it.
        var content = new ReadOnlySequence<byte>(SealedJson.Seal(JsonSerializer.SerializeToUtf8Bytes(document, StorageJson.Default.ManifestDocument)));
        var precondition = previous is null ? Precondition.Absent : Precondition.Unchanged(previous.Version);
        try
        {
            var version = await store.PutAsync(key, content, precondition, cancellationToken).ConfigureAwait(false);
            return new StoredManifest(attempt, version) { TokenBlob = blob };
        }
        catch (Exception e) when (e is ObjectConflictException or TimeoutException or StorageException { Code: StorageErrorCodes.StoreUnavailable })
        {
            // The answer was lost or says no, but the write may be there: our own commit id means that it is.
            return await ReadBackAsync(attempt, blob, previous, e, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Finds what is to be deleted where a manifest, or the blob of its ids, cannot be read: a tombstone is committed on it like on any other.</summary>
    /// <param name="unknown">What a manifest counts as of which nothing can be read.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The manifest without its token ids where only they are not right, otherwise <paramref name="unknown"/> at the version that lies there; <see langword="null"/> where nothing does.</returns>
    /// <exception cref="ObjectConflictException">It has just been written; read again.</exception>
    public async Task<StoredManifest?> FindInvalidAsync(ContextManifest unknown, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(unknown);
        var key = KeyOf(unknown.Tenant, unknown.Model, unknown.Name);

        // Looked at before it is read: where somebody puts it right meanwhile, a commit on this version conflicts (invariant 4).
        var bad = await store.HeadAsync(key, cancellationToken).ConfigureAwait(false);
        try
        {
            return (await FindWithoutIdsAsync(unknown.Tenant, unknown.Model, unknown.Name, cancellationToken).ConfigureAwait(false))?.Stored;
        }
        catch (StorageException e) when (e.Code == StorageErrorCodes.ManifestInvalid)
        {
            return new StoredManifest(unknown, (bad ?? throw new ObjectConflictException(key, e)).Version);
        }
    }

    /// <summary>Lists contexts that have a manifest, tombstones too, ordered by model and name.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="model">The model id, or <see langword="null"/> for all.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>Each once.</returns>
    public IAsyncEnumerable<ListedManifest> ListAsync(string tenant, string? model, CancellationToken cancellationToken) =>
        ListAsync(tenant, model, null, cancellationToken);

    /// <summary>Lists contexts that have a manifest, tombstones too, in the order of their keys, which is the same each time.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="model">The model id, or <see langword="null"/> for all.</param>
    /// <param name="after">Those behind this one only; <see langword="null"/> for all. It need not be there.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>Each once.</returns>
    public IAsyncEnumerable<ListedManifest> ListAsync(string tenant, string? model, (string Model, string Name)? after, CancellationToken cancellationToken) =>
        ListUnderAsync(
            $"{Prefix}{ObjectKey.CheckName("tenant", tenant)}/" + (model is null ? "" : ObjectKey.CheckName("model", model) + "/"),
            after is var (afterModel, afterName) ? KeyOf(tenant, afterModel, afterName) : null,
            cancellationToken);

    /// <summary>Lists the contexts of all tenants that have a manifest, tombstones too.</summary>
    /// <param name="cancellationToken">Cancels.</param>
    internal IAsyncEnumerable<ListedManifest> ListAllAsync(CancellationToken cancellationToken) => ListUnderAsync(Prefix, null, cancellationToken);

    /// <summary>Gets the tombstone of a context: its name stays taken until a creation or a collector replaces it, and whoever commits on what was there before conflicts.</summary>
    /// <param name="manifest">The context.</param>
    /// <param name="now">The time, UTC.</param>
    /// <returns>Its manifest, without ids and chunks.</returns>
    public static ContextManifest Tombstone(ContextManifest manifest, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return manifest with { State = ManifestStates.Deleted, TokenIds = [], Chunks = new Dictionary<string, ManifestChunk[]>(), Updated = now };
    }

    private async IAsyncEnumerable<ListedManifest> ListUnderAsync(string prefix, string? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var info in store.ListAsync(prefix, after, cancellationToken).ConfigureAwait(false))
        {
            if (info.Key.Split('/') is [_, var tenant, var model, var file] && file.EndsWith(Extension, StringComparison.Ordinal))
            {
                yield return new ListedManifest(tenant, model, file[..^Extension.Length], info.Version);
            }
        }
    }

    private async Task<StoredManifest> ReadBackAsync(
        ContextManifest attempt, TokenBlobName? blob, StoredManifest? previous, Exception refusal, CancellationToken cancellationToken)
    {
        StoredManifest? found;
        try
        {
            var own = new StoredManifest(attempt, new ObjectVersion("")) { TokenBlob = blob };
            found = await FindAsync(attempt.Tenant, attempt.Model, attempt.Name, own, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException) when (refusal is not ObjectConflictException)
        {
            throw refusal; // neither answers: the first says more
        }

        if (found?.Manifest.CommitId == attempt.CommitId)
        {
            return found;
        }

        // Unchanged after an answer that was lost: nothing was committed, so the store's own words are the better news.
        throw refusal is not ObjectConflictException && found?.Version == previous?.Version
            ? refusal
            : new ObjectConflictException(KeyOf(attempt.Tenant, attempt.Model, attempt.Name), refusal);
    }

    private async Task<StoredObject?> FindObjectAsync(string tenant, string model, string name, CancellationToken cancellationToken)
    {
        try
        {
            return await store.FindAsync(KeyOf(tenant, model, name), cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e) when (e.Code == StorageErrorCodes.RequestTooLarge)
        {
            throw Invalid(tenant, model, name, ["it is longer than any manifest"], e);
        }
    }

    private static ManifestDocument Open(byte[] content, string tenant, string model, string name)
    {
        if (!SealedJson.TryOpen(content, out var json))
        {
            throw Invalid(tenant, model, name, ["its checksum does not match its bytes"]);
        }

        ManifestDocument? manifest;
        try
        {
            manifest = JsonSerializer.Deserialize(json, StorageJson.Default.ManifestDocument);
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw Invalid(tenant, model, name, [$"it is not a manifest's JSON: {e.Message}"], e);
        }

        var faults = manifest is null ? ["it is null"] : ManifestChecks.FaultsOf(manifest, manifest.TokenIds ?? [], tenant, model, name).ToList();
        return manifest is null || faults.Count > 0 ? throw Invalid(tenant, model, name, faults) : manifest;
    }

    private static ContextManifest Canonical(ContextManifest manifest) => manifest with
    {
        FormatVersion = ContextManifest.CurrentFormatVersion,
        Chunks = new SortedDictionary<string, ManifestChunk[]>(manifest.Chunks.ToDictionary(), StringComparer.Ordinal),
        Labels = new SortedDictionary<string, string>(manifest.Labels.ToDictionary(), StringComparer.Ordinal),
        Operations = ManifestOperation.Newest(manifest.Operations),
    };

    internal static string KeyOf(string tenant, string model, string name) =>
        $"{Prefix}{ObjectKey.CheckName("tenant", tenant)}/{ObjectKey.CheckName("model", model)}/{ObjectKey.CheckName("context", name + Extension)}";

    private static StorageException Invalid(string tenant, string model, string name, IReadOnlyCollection<string> faults, Exception? inner = null) => new(
        StorageErrorCodes.ManifestInvalid,
        $"The manifest of '{tenant}/{model}/{name}' cannot be trusted: {string.Join("; ", faults)}.",
        "Restore the object from a backup, or delete the context and create it again; other contexts are not affected.",
        inner);
}
