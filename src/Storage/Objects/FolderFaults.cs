using Granary.Storage.Errors;

namespace Granary.Storage.Objects;

/// <summary>Turns what the file system says into errors with a path and a remedy.</summary>
internal static class FolderFaults
{
    /// <summary>Gets the error for an exception, or <see langword="null"/> where it is not the file system's.</summary>
    public static StorageException? Find(Exception exception, string root, bool writing) => exception switch
    {
        EndOfStreamException => null,
        IOException { HResult: Posix.NoSpace or Posix.QuotaExceeded } => new(
            StorageErrorCodes.StoreFull,
            $"The store '{root}' has no space left: {exception.Message}",
            "Free space on its file system, or choose another --store.",
            exception),
        IOException { HResult: Posix.ReadOnlyFileSystem } or UnauthorizedAccessException when writing => new(
            StorageErrorCodes.StoreReadOnly,
            $"The store '{root}' refuses writes: {exception.Message}",
            "Give this user write access to the folder and all in it, mount it read-write, or choose another --store.",
            exception),
        IOException or UnauthorizedAccessException => Unavailable(root, exception),
        _ => null,
    };

    public static StorageException Unavailable(string root, Exception exception) => new(
        StorageErrorCodes.StoreUnavailable,
        $"The store '{root}' cannot be used: {exception.Message}",
        "Give a folder that exists or can be created, and that this user may read and write, with --store.",
        exception);

    public static StorageException Locked(string root, string lockPath, TimeSpan waited) => new(
        StorageErrorCodes.StoreUnavailable,
        $"The store '{root}' is busy: another process held '{lockPath}' for {waited.TotalSeconds:0} s.",
        "Try again; if it stays so, look for a stopped granary process that holds the file (lsof).");
}
