using System.Buffers;
using System.Text.Json;
using Granary.Grains.Errors;
using Granary.Storage.Errors;
using Granary.Storage.Objects;
using Orleans.Storage;

namespace Granary.Grains.Persistence;

/// <summary>Keeps grain state in the object store, which is the only durable store (DESIGN §5). The object's ETag fences: a stale owner's write fails.</summary>
/// <remarks>One JSON object a state, at <c>grains/{state}/{grain type}/{key}.json</c>.</remarks>
internal sealed class BlobGrainStorage(IObjectStore store) : IGrainStorage
{
    /// <summary>The name under which grains ask for it.</summary>
    public const string Name = "granary";

    /// <inheritdoc/>
    public async Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        var found = await ErrorEdge.GuardAsync(store.FindAsync(KeyOf(stateName, grainId), CancellationToken.None));
        grainState.RecordExists = found is not null;
        grainState.ETag = found?.Version.ETag;
        grainState.State = found is null ? Activator.CreateInstance<T>() : JsonSerializer.Deserialize<T>(found.Content) ?? Activator.CreateInstance<T>();
    }

    /// <inheritdoc/>
    public async Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        var key = KeyOf(stateName, grainId);
        var content = JsonSerializer.SerializeToUtf8Bytes(grainState.State);
        var precondition = grainState.ETag is { } tag ? Precondition.Unchanged(new ObjectVersion(tag)) : Precondition.Absent;
        try
        {
            grainState.ETag = (await store.PutAsync(key, new ReadOnlySequence<byte>(content), precondition, CancellationToken.None)).ETag;
            grainState.RecordExists = true;
        }
        catch (Exception e) when (e is ObjectConflictException or StorageException)
        {
            // The answer may have been lost after the write: what lies there tells.
            if (await ErrorEdge.GuardAsync(store.FindAsync(key, CancellationToken.None)) is { } found && found.Content.AsSpan().SequenceEqual(content))
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

    private static string KeyOf(string stateName, GrainId grainId) => $"grains/{stateName}/{grainId.Type}/{grainId.Key}.json";
}
