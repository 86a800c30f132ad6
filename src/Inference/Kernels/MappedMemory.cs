using System.Runtime.InteropServices;

namespace Granary.Inference.Kernels;

/// <summary>Native memory straight from the kernel, which has it back as soon as it is freed.</summary>
/// <remarks>
/// For blocks of ever other sizes, some hundred kilobytes and more: the allocator serves them from arenas, one for each thread that asks, and what is free in one is of no use to the
/// others. Tails and last pages of 16 MB of KV had 250 MB of arenas in time (glibc 2.36, 2026-11-29, <c>./dev soak</c>).
/// </remarks>
internal static unsafe partial class MappedMemory
{
    private const int ReadWrite = 1 | 2; // PROT_READ | PROT_WRITE
    private const int PrivateAnonymous = 0x02 | 0x20; // MAP_PRIVATE | MAP_ANONYMOUS, of Linux

    /// <summary>Allocates memory, aligned as <see cref="HugePages.Allocate"/> does.</summary>
    /// <param name="bytes">How many; at least 1.</param>
    /// <returns>The memory, for <see cref="Free"/>.</returns>
    /// <exception cref="InsufficientMemoryException">There is not so much: free some, or ask for less.</exception>
    public static void* Allocate(long bytes)
    {
        if (!OperatingSystem.IsLinux())
        {
            return HugePages.Allocate(bytes);
        }

        // The kernel aligns to its own pages: to begin at a huge one, more is mapped, and what is before and behind is given back.
        var more = bytes >= HugePages.Size ? HugePages.Size : 0;
        var length = Rounded(bytes);
        var mapped = Map(null, length + (nuint)more, ReadWrite, PrivateAnonymous, -1, 0);
        if (mapped == (void*)-1)
        {
            throw new InsufficientMemoryException($"{bytes} bytes of KV could not be mapped.");
        }

        if (more == 0)
        {
            return mapped;
        }

        var start = ((nuint)mapped + HugePages.Size - 1) / HugePages.Size * HugePages.Size;
        Unmap(mapped, start - (nuint)mapped);
        Unmap((void*)(start + length), (nuint)mapped + (nuint)more - start);
        HugePages.Want((void*)start, bytes);
        return (void*)start;
    }

    /// <summary>Frees memory.</summary>
    /// <param name="memory">What <see cref="Allocate"/> gave for so many bytes; nobody uses it any more.</param>
    /// <param name="bytes">How many.</param>
    public static void Free(void* memory, long bytes)
    {
        if (OperatingSystem.IsLinux())
        {
            Unmap(memory, Rounded(bytes));
        }
        else
        {
            NativeMemory.AlignedFree(memory);
        }
    }

    private static nuint Rounded(long bytes) => ((nuint)bytes + (nuint)Environment.SystemPageSize - 1) / (nuint)Environment.SystemPageSize * (nuint)Environment.SystemPageSize;

    private static void Unmap(void* memory, nuint length)
    {
        if (length > 0)
        {
            _ = UnmapAll(memory, length); // it fails for arguments that are none, which these are not
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int UnmapAll(void* address, nuint length);
}
