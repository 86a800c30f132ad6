using System.Runtime.InteropServices;

namespace Granary.Inference.Kernels;

/// <summary>Native memory that the kernel may back with huge pages of 2 MiB.</summary>
/// <remarks>
/// A decode step streams more KV than a processor has page translations at hand: with pages of 4 KiB, of eight asks over 2,048 tokens of pythia-160m in float32 each step took
/// 69 ms, with huge ones 44 (AMD EPYC, Zen 5, a virtual machine, whose translations cost twice; 2026-11-27). The weights' translations are lost to the KV's, too.
/// </remarks>
internal static unsafe partial class HugePages
{
    /// <summary>The bytes of a huge page on x86-64 and, with its usual page size, on ARM.</summary>
    public const int Size = 2 << 20;

    private const nuint CacheLine = 64;
    private const int WantHugePages = 14; // MADV_HUGEPAGE

    /// <summary>Allocates memory, of undefined content, aligned to a cache line or, where it is as large, to a huge page.</summary>
    /// <param name="bytes">How many; at least 1.</param>
    /// <returns>The memory, for <see cref="NativeMemory.AlignedFree"/>.</returns>
    /// <exception cref="OutOfMemoryException">There is not so much: free some, or ask for less.</exception>
    public static void* Allocate(long bytes)
    {
        var isLarge = bytes >= Size;
        var address = NativeMemory.AlignedAlloc((nuint)bytes, isLarge ? Size : CacheLine);
        if (isLarge)
        {
            Want(address, bytes);
        }

        return address;
    }

    /// <summary>Has the kernel back memory with huge pages, as far as they fit. Where it does not, it is only slower.</summary>
    /// <param name="memory">Memory, aligned to a huge page.</param>
    /// <param name="bytes">Its bytes.</param>
    public static void Want(void* memory, long bytes)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = Advise(memory, (nuint)bytes / Size * Size, WantHugePages);
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
