using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Granary.Storage.Errors;
using Granary.Storage.Objects;
using Granary.Storage.Sealing;

namespace Granary.Storage.Specs;

/// <summary>Keeps what each model id names, in <c>models/{id}.json</c>: written once, compared ever after.</summary>
/// <param name="store">Where specs lie.</param>
public sealed class ModelSpecStore(IObjectStore store)
{
    private const string Prefix = "models/";
    private const string Extension = ".json";

    /// <summary>Makes sure that the store knows a model id with just this content, and records it where the id is new.</summary>
    /// <param name="spec">The content.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>A task.</returns>
    /// <exception cref="StorageException"><c>ModelSpecConflict</c>: the id has another content, the message says in which fields; serve it under another id.</exception>
    public async Task EnsureAsync(ModelSpec spec, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(spec);
        var known = await FindAsync(spec.Model, cancellationToken).ConfigureAwait(false)
            ?? await WriteOrFindAsync(spec, cancellationToken).ConfigureAwait(false);
        var differences = DifferencesOf(known, spec).ToList();
        if (differences.Count > 0)
        {
            throw Conflict(spec.Model, $"the store '{store.Description}' knows it with another content: {string.Join("; ", differences)}");
        }
    }

    /// <summary>Reads what a model id names.</summary>
    /// <param name="model">The id.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The spec, or <see langword="null"/> where the store does not know the id.</returns>
    /// <exception cref="StorageException"><c>ModelSpecConflict</c>: the record is damaged; restore it, or serve the model under another id.</exception>
    public async Task<ModelSpec?> FindAsync(string model, CancellationToken cancellationToken) =>
        await store.FindAsync(KeyOf(model), cancellationToken).ConfigureAwait(false) is { } found ? Open(model, found.Content) : null;

    /// <summary>Lists the ids of all specs, damaged ones too, in order.</summary>
    /// <param name="cancellationToken">Cancels.</param>
    internal async IAsyncEnumerable<string> ListIdsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var info in store.ListAsync(Prefix, cancellationToken).ConfigureAwait(false))
        {
            if (info.Key.EndsWith(Extension, StringComparison.Ordinal))
            {
                yield return info.Key[Prefix.Length..^Extension.Length];
            }
        }
    }

    /// <summary>Lists all specs, ordered by id.</summary>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The specs.</returns>
    /// <exception cref="StorageException"><c>ModelSpecConflict</c>: a record is damaged; restore or delete it.</exception>
    public async IAsyncEnumerable<ModelSpec> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var id in ListIdsAsync(cancellationToken).ConfigureAwait(false))
        {
            if (await FindAsync(id, cancellationToken).ConfigureAwait(false) is { } spec)
            {
                yield return spec;
            }
        }
    }

    private async Task<ModelSpec> WriteOrFindAsync(ModelSpec spec, CancellationToken cancellationToken)
    {
        var document = new ModelSpecDocument(ModelSpecDocument.CurrentFormatVersion, spec);
        var content = SealedJson.Seal(JsonSerializer.SerializeToUtf8Bytes(document, StorageJson.Default.ModelSpecDocument));
        try
        {
            await store.PutAsync(KeyOf(spec.Model), new ReadOnlySequence<byte>(content), Precondition.Absent, cancellationToken).ConfigureAwait(false);
            return spec;
        }
        catch (ObjectConflictException)
        {
            return await FindAsync(spec.Model, cancellationToken).ConfigureAwait(false)
                ?? throw Conflict(spec.Model, "its record came and went while it was read");
        }
    }

    private static ModelSpec Open(string model, byte[] content)
    {
        ModelSpecDocument? document = null;
        if (SealedJson.TryOpen(content, out var json))
        {
            try
            {
                document = JsonSerializer.Deserialize(json, StorageJson.Default.ModelSpecDocument);
            }
            catch (JsonException e)
            {
                throw Conflict(model, "its record is not a spec's JSON", e);
            }
        }

        return document switch
        {
            null => throw Conflict(model, "its record is damaged: the checksum does not match"),
            { FormatVersion: not ModelSpecDocument.CurrentFormatVersion } => throw Conflict(model, $"its record has format version {document.FormatVersion}, {ModelSpecDocument.CurrentFormatVersion} is known"),
            { Spec: var spec } when spec.Model != model => throw Conflict(model, $"its record is that of '{spec.Model}'"),
            { Spec: var spec } => spec,
        };
    }

    private static IEnumerable<string> DifferencesOf(ModelSpec known, ModelSpec given)
    {
        (string Field, object? Known, object? Given)[] fields =
        [
            ("fingerprint", known.Fingerprint, given.Fingerprint),
            ("tokenizer digest", known.TokenizerDigest, given.TokenizerDigest),
            ("dtype", known.Dtype, given.Dtype),
            ("codec", known.Codec, given.Codec),
            ("page size", known.PageSize, given.PageSize),
            ("window", known.Window, given.Window),
            ("KV bytes per token", known.KvBytesPerToken, given.KvBytesPerToken),
        ];
        return fields.Where(field => !Equals(field.Known, field.Given)).Select(field => $"{field.Field} is {field.Known ?? "none"} there and {field.Given ?? "none"} here");
    }

    private static string KeyOf(string model) => $"{Prefix}{ObjectKey.CheckName("model", model)}{Extension}";

    private static StorageException Conflict(string model, string fault, Exception? inner = null) => new(
        StorageErrorCodes.ModelSpecConflict,
        $"The model id '{model}' cannot be used: {fault}.",
        "Give new weights or settings a new id (--model-id), or use another store.",
        inner);
}
