using System.Buffers;
using System.Text.Json;
using Granary.Errors;
using Granary.Grains.Errors;
using Granary.Storage.Errors;
using Granary.Storage.Objects;
using Granary.Storage.Sealing;
using Orleans.Storage;

namespace Granary.Grains.Persistence;

/// <summary>Keeps grain state in the object store, which is the only durable store (DESIGN §5). The object's ETag fences: a stale owner's write fails.</summary>
/// <remarks>One sealed document a state (<see cref="SealedDocument"/>), at <c>grains/{state}/{grain type}/{key}.json</c>: a damaged one, or another grain's, is refused by name.</remarks>
internal sealed class BlobGrainStorage(IObjectStore store) : IGrainStorage
{
    /// <summary>The name under which grains ask for it.</summary>
    public const string Name = "granary";

    /// <inheritdoc/>
    public async Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        var key = KeyOf(stateName, grainId);
        var found = await FindAsync(key);
        var content = found is null ? Activator.CreateInstance<T>() : Open<T>(key, found.Content);
        grainState.RecordExists = found is not null;
        grainState.ETag = found?.Version.ETag;
        grainState.State = content;
    }

    /// <inheritdoc/>
    public async Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        var key = KeyOf(stateName, grainId);
        var content = SealedDocument.Seal(key, JsonSerializer.SerializeToUtf8Bytes(grainState.State));
        var precondition = grainState.ETag is { } tag ? Precondition.Unchanged(new ObjectVersion(tag)) : Precondition.Absent;
        try
        {
            grainState.ETag = (await store.PutAsync(key, new ReadOnlySequence<byte>(content), precondition, CancellationToken.None)).ETag;
            grainState.RecordExists = true;
        }
        catch (Exception e) when (e is ObjectConflictException or StorageException)
        {
            // The answer may have been lost after the write: what lies there tells.
            if (await FindAsync(key) is { } found && found.Content.AsSpan().SequenceEqual(content))
            {
                (grainState.ETag, grainState.RecordExists) = (found.Version.ETag, true);
                return;
            }

            // The cause stays here: it cannot cross a grain call, and would be hidden by an error that says so.
            throw e is StorageException
                ? ErrorEdge.Translate(e)
                : new InconsistentStateException($"State '{stateName}' of {grainId} was written by somebody else.", "unknown", grainState.ETag);
        }
    }

    /// <inheritdoc/>
    public async Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        if (grainState.ETag is { } tag)
        {
            await ErrorEdge.GuardAsync(store.DeleteAsync(KeyOf(stateName, grainId), Precondition.Unchanged(new ObjectVersion(tag)), CancellationToken.None));
        }

        (grainState.ETag, grainState.RecordExists, grainState.State) = (null, false, Activator.CreateInstance<T>());
    }

    private async Task<StoredObject?> FindAsync(string key)
    {
        try
        {
            return await ErrorEdge.GuardAsync(store.FindAsync(key, CancellationToken.None));
        }
        catch (GranaryException e) when (e.Code == ErrorCodes.RequestTooLarge)
        {
            throw Invalid(key, "it is longer than any document");
        }
    }

    private static T Open<T>(string key, byte[] content)
    {
        if (!SealedDocument.TryOpen(key, content, out var json, out var fault))
        {
            throw Invalid(key, fault);
        }

        try
        {
            return JsonSerializer.Deserialize<T>(json.Span) ?? throw Invalid(key, "it is null");
        }
        catch (JsonException e)
        {
            throw Invalid(key, $"its content is another type's: {e.Message}");
        }
    }

    private static GranaryException Invalid(string key, string fault) => new(
        ErrorCodes.ManifestInvalid,
        $"The stored state '{key}' cannot be trusted: {fault}.",
        "Restore the object from a backup, or take it away with granary store check --repair and run granary dataset precompute again; contexts are not affected.");

    private static string KeyOf(string stateName, GrainId grainId) => $"grains/{stateName}/{grainId.Type}/{grainId.Key}.json";
}
