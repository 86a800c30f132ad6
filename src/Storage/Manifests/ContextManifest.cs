using Granary.Storage.Chunks;

namespace Granary.Storage.Manifests;

/// <summary>A context's only state: its token ids, which are the truth, and the chunks that hold their KV, which is derived.</summary>
/// <remarks>Format: this folder's README. Writing it is the commit (invariant 4).</remarks>
public sealed record ContextManifest
{
    /// <summary>The version of the format that this library reads and writes.</summary>
    public const int CurrentFormatVersion = 1;

    /// <summary>The most operations that are remembered.</summary>
    public const int MaxOperations = 4096;

    /// <summary>The operations that are remembered, however old.</summary>
    public const int FewestOperations = 64;

    /// <summary>How long an operation is remembered, however many come after it (up to <see cref="MaxOperations"/>): longer than anybody sends it again.</summary>
    public static readonly TimeSpan OperationsTime = TimeSpan.FromMinutes(2);

    /// <summary>The most characters of an operation's id.</summary>
    public const int MaxOperationIdLength = 128;

    /// <summary>The most token ids of a context.</summary>
    public const int MaxTokenIds = 1 << 20;

    /// <summary>Gets the format's version.</summary>
    /// <value>Default: <see cref="CurrentFormatVersion"/>.</value>
    public int FormatVersion { get; init; } = CurrentFormatVersion;

    /// <summary>Gets the tenant.</summary>
    public required string Tenant { get; init; }

    /// <summary>Gets the model id.</summary>
    public required string Model { get; init; }

    /// <summary>Gets the context's name.</summary>
    public required string Name { get; init; }

    /// <summary>Gets the id of this life of the name, a GUID of 32 hexadecimal digits: a context that is deleted and created again has another.</summary>
    public required string Incarnation { get; init; }

    /// <summary>Gets the commit's number, 1 or more.</summary>
    public required long Version { get; init; }

    /// <summary>Gets the random id of the attempt that wrote this, which <see cref="ManifestStore.CommitAsync"/> sets.</summary>
    /// <value>Default: empty.</value>
    public string CommitId { get; init; } = "";

    /// <summary>Gets the state, one of <see cref="ManifestStates"/>.</summary>
    public required string State { get; init; }

    /// <summary>Gets the model's KV fingerprint, hexadecimal.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>Gets whether the chunks are those that tenants share; a context keeps what it was created with.</summary>
    /// <value>Default: <see langword="false"/>, they are the tenant's own.</value>
    public bool Shared { get; init; }

    /// <summary>Gets whose salt the chunk chains start with, and under whose prefix the chunks lie: the tenant, or <see cref="ChunkIdentity.SharedTenant"/>.</summary>
    public string ChunkTenant => Shared ? ChunkIdentity.SharedTenant : Tenant;

    /// <summary>Gets the chunks, in order, for each numerics id that holds the context.</summary>
    /// <value>Default: none.</value>
    public IReadOnlyDictionary<string, ManifestChunk[]> Chunks { get; init; } = new Dictionary<string, ManifestChunk[]>();

    /// <summary>Gets the token ids. Always all of them, wherever they are stored: in the manifest, or in a blob that it names.</summary>
    public required int[] TokenIds { get; init; }

    /// <summary>Gets the digest of the tokenizer that made the ids; <see langword="null"/> where they were given as ids.</summary>
    public string? TokenizerDigest { get; init; }

    /// <summary>Gets when the context was created, UTC.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Gets when this version was made, UTC.</summary>
    public required DateTimeOffset Updated { get; init; }

    /// <summary>Gets when the context expires, UTC; <see langword="null"/> for never.</summary>
    public DateTimeOffset? Expires { get; init; }

    /// <summary>Gets the time to live that a hit starts anew; <see langword="null"/> where hits leave <see cref="Expires"/> alone.</summary>
    public TimeSpan? TimeToLive { get; init; }

    /// <summary>Gets the labels; written sorted by key.</summary>
    /// <value>Default: none.</value>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>Gets until when the context is pinned, UTC; <see langword="null"/> where it is not.</summary>
    public DateTimeOffset? PinnedUntil { get; init; }

    /// <summary>Gets the tokens that were cut off at creation.</summary>
    /// <value>Default: 0.</value>
    public int TruncatedTokens { get; init; }

    /// <summary>Gets the name of the context that this one was forked from; <see langword="null"/> where it was not.</summary>
    public string? Parent { get; init; }

    /// <summary>Gets the last operations, oldest first; <see cref="ManifestOperation.Newest"/> of them are written.</summary>
    /// <value>Default: none.</value>
    public IReadOnlyList<ManifestOperation> Operations { get; init; } = [];

    /// <summary>Finds an operation among those that are remembered.</summary>
    /// <param name="operationId">The caller's id; <see langword="null"/> finds nothing.</param>
    /// <returns>The operation; <see langword="null"/> where it has not been done, or is not remembered any more.</returns>
    public ManifestOperation? FindOperation(string? operationId) => operationId is null ? null : Operations.LastOrDefault(operation => operation.OperationId == operationId);

    /// <summary>Tells whether the context exists: it was not deleted, and its time is not over.</summary>
    /// <param name="now">The time, UTC.</param>
    /// <returns>Whether it does.</returns>
    public bool IsAliveAt(DateTimeOffset now) => State != ManifestStates.Deleted && !(Expires <= now);
}
