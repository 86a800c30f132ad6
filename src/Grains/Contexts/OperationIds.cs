using Granary.Errors;
using Granary.Storage.Manifests;

namespace Granary.Grains.Contexts;

/// <summary>Ids under which requests that are sent again count once.</summary>
internal static class OperationIds
{
    /// <summary>Checks a request's id.</summary>
    /// <param name="operationId">The caller's; <see langword="null"/> where it will not send the request again.</param>
    /// <returns>It, or one that is drawn.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: it is empty or too long.</exception>
    public static string Check(string? operationId) => operationId switch
    {
        null => Guid.NewGuid().ToString("N"),
        { Length: > 0 and <= ContextManifest.MaxOperationIdLength } => operationId,
        _ => throw new GranaryException(
            ErrorCodes.InvalidArgument,
            $"An operation id of {operationId.Length} characters was given.",
            $"Give 1 to {ContextManifest.MaxOperationIdLength} characters, a GUID for instance, or leave it out."),
    };

    /// <summary>Gets the operations that a name's next life remembers: a request of the life before is recognised, but adds to no ids of this one.</summary>
    /// <param name="before">The tombstone, or the expired context; <see langword="null"/> where there was none.</param>
    public static IEnumerable<ManifestOperation> Inherit(ContextManifest? before) =>
        before?.Operations.Select(static operation => operation with { Start = 0, Count = 0 }) ?? [];
}
