namespace Granary.Storage.Chunks;

/// <summary>All that a reader expects of a chunk, known before any byte of it is read.</summary>
public sealed record ChunkIdentity
{
    /// <summary>What the keys of all chunks start with.</summary>
    internal const string AllPrefix = "chunks/";

    /// <summary>The owner of chunks that tenants share, in place of a tenant.</summary>
    public const string SharedTenant = "shared";

    private const int FingerprintDigits = 16;
    private const int NumericsDigits = 8;
    private const string Extension = ".safetensors";

    /// <summary>Gets the tenant, or <see cref="SharedTenant"/>.</summary>
    public required string Tenant { get; init; }

    /// <summary>Gets the model's KV fingerprint, hexadecimal.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>Gets the numerics id.</summary>
    public required string Numerics { get; init; }

    /// <summary>Gets the page's link of the hash chain.</summary>
    public required ChunkHash Hash { get; init; }

    /// <summary>Gets the link before; the chain's root for the first page.</summary>
    public required ChunkHash Parent { get; init; }

    /// <summary>Gets the position of the page's first token.</summary>
    public required int Start { get; init; }

    /// <summary>Gets the page's tokens.</summary>
    public required int Count { get; init; }

    /// <summary>Gets the shape of its KV.</summary>
    public required ChunkShape Shape { get; init; }

    /// <summary>Gets the page's token ids, <see cref="Count"/> of them; lent by the caller, who does not change them.</summary>
    public required ReadOnlyMemory<int> TokenIds { get; init; }

    /// <summary>Gets the chunk's key in the store.</summary>
    public string Key => KeyOf(Tenant, Fingerprint, Numerics, Hash.ToString());

    /// <summary>Gets the bytes of the KV.</summary>
    public long KvBytes => Shape.KvBytes(Count);

    /// <summary>Gets the bytes behind the header: the KV, then the token ids.</summary>
    public long DataBytes => KvBytes + ((long)sizeof(int) * Count);

    /// <summary>Gets the key of a chunk.</summary>
    internal static string KeyOf(string tenant, string fingerprint, string numerics, string hash) =>
        $"{PrefixOf(tenant)}{First(fingerprint, FingerprintDigits)}/{First(numerics, NumericsDigits)}/{hash[..2]}/{hash}{Extension}";

    /// <summary>Gets what the keys of a tenant's chunks start with.</summary>
    internal static string PrefixOf(string tenant) => $"{AllPrefix}{tenant}/";

    /// <summary>Gets the hash that a chunk's key names, or <see langword="null"/> where it is no chunk's key.</summary>
    internal static ChunkHash? HashOf(string key) =>
        key.EndsWith(Extension, StringComparison.Ordinal) && ChunkHash.TryParse(key[(key.LastIndexOf('/') + 1)..^Extension.Length], out var hash) ? hash : null;

    private static string First(string text, int count) => text.Length <= count ? text : text[..count];
}
