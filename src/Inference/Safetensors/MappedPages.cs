using System.Runtime.InteropServices;

namespace Granary.Inference.Safetensors;

/// <summary>The memory behind a mapped file.</summary>
internal static partial class MappedPages
{
    private const int DontNeed = 4; // MADV_DONTNEED

    /// <summary>Gives the pages back that lie in a stretch of a read-only mapping as a whole; what reads them later has them mapped again.</summary>
    /// <param name="address">The first byte.</param>
    /// <param name="bytes">How many.</param>
    public static void Release(nint address, long bytes)
    {
        var page = (nint)Environment.SystemPageSize;
        var first = (address + page - 1) / page * page;
        var end = (address + (nint)bytes) / page * page;
        if (end > first)
        {
            _ = Advise(first, (nuint)(end - first), DontNeed); // advice: where the kernel does not take it, only the memory is lost
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);
}
