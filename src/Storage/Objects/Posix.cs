using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Granary.Storage.Objects;

/// <summary>The three system calls that .NET does not offer: opening and syncing a folder, and reserving space with the true error.</summary>
internal static partial class Posix
{
    public const int PermissionDenied = 13;
    public const int OperationNotPermitted = 1;
    public const int WouldBlock = 11;
    public const int NoSpace = 28;
    public const int ReadOnlyFileSystem = 30;
    public const int QuotaExceeded = 122;

    private const int InvalidArgument = 22;
    private const int ReadOnlyDirectoryCloseOnExec = 0x10000 | 0x80000; // O_RDONLY | O_DIRECTORY | O_CLOEXEC

    /// <summary>Makes a folder's entries durable: creations, renames and deletions in it.</summary>
    public static void SyncFolder(string path)
    {
        var descriptor = Open(path, ReadOnlyDirectoryCloseOnExec);
        if (descriptor < 0)
        {
            throw Failed("open", path);
        }

        try
        {
            if (SyncFile(descriptor) < 0 && Marshal.GetLastPInvokeError() != InvalidArgument) // file systems that cannot, say EINVAL
            {
                throw Failed("sync", path);
            }
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    /// <summary>Reserves a new file's space, so that a full disk is found before anything is written; a file system that cannot reserve is left alone.</summary>
    public static void Preallocate(SafeFileHandle file, string path, long length)
    {
        if (length > 0 && Allocate(file, 0, 0, length) < 0 && Marshal.GetLastPInvokeError() is NoSpace or QuotaExceeded)
        {
            throw Failed("reserve space for", path);
        }
    }

    private static IOException Failed(string verb, string path)
    {
        var error = Marshal.GetLastPInvokeError();
        return new($"Could not {verb} '{path}': {Marshal.GetPInvokeErrorMessage(error)}.", error);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int SyncFile(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int Allocate(SafeFileHandle file, int mode, long offset, long length);
}
