using Granary.Storage.Errors;

namespace Granary.Storage.Objects;

/// <summary>Faults that all stores report alike.</summary>
internal static class ObjectFaults
{
    public static StorageException TooLarge(string key, long length) => new(
        StorageErrorCodes.RequestTooLarge,
        $"'{key}' has {length:N0} bytes; {IObjectStore.MaxFindBytes:N0} can be read at once.",
        "Read it in ranges, or delete it if Granary did not write it.");

    public static EndOfStreamException TooShort(string key, long offset, int count) =>
        new($"'{key}' ends before byte {offset + count:N0}, the end of the range.");
}
