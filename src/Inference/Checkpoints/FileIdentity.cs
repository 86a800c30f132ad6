using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Granary.Inference.Checkpoints;

/// <summary>What changes when a file's content may have: path, size, modification and change time in nanoseconds, inode. The change time cannot be set back by a user.</summary>
internal readonly partial record struct FileIdentity(string Path, long Size, long Modified, long Changed, ulong Inode, uint DeviceMajor, uint DeviceMinor)
{
    private const int AtEmptyPath = 0x1000;
    private const uint BasicStats = 0x7ff;

    /// <summary>Asks the kernel about an open file; <c>statx</c> has one layout on all architectures.</summary>
    public static FileIdentity Of(string path, SafeFileHandle file)
    {
        if (StatX(file, "", AtEmptyPath, BasicStats, out var stat) != 0)
        {
            throw new IOException($"statx of '{path}' failed: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
        }

        return new FileIdentity(System.IO.Path.GetFullPath(path), (long)stat.Size, stat.Modified.Nanoseconds, stat.Changed.Nanoseconds, stat.Inode, stat.DeviceMajor, stat.DeviceMinor);
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(SafeFileHandle folder, string path, int flags, uint mask, out Status status);

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Time
    {
        private readonly long _seconds;
        private readonly uint _nanoseconds;
        private readonly int _reserved;

        public long Nanoseconds => (_seconds * 1_000_000_000) + _nanoseconds;
    }

    // struct statx, linux/stat.h
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private readonly struct Status
    {
        [FieldOffset(32)]
        public readonly ulong Inode;

        [FieldOffset(40)]
        public readonly ulong Size;

        [FieldOffset(96)]
        public readonly Time Changed;

        [FieldOffset(112)]
        public readonly Time Modified;

        [FieldOffset(136)]
        public readonly uint DeviceMajor;

        [FieldOffset(140)]
        public readonly uint DeviceMinor;
    }
}
