using System.Runtime.InteropServices;
using Granary.Inference.Kernels;

namespace Granary.Inference.Pages;

/// <summary>Freed memory of full pages, kept for the next ones of the same size: memory that a process touches for the first time must be found, cleared and mapped by the kernel first.</summary>
/// <remarks>
/// In a virtual machine that costs as much as a tenth of a prefill: 2,048 tokens of pythia-70m in bfloat16 are 25 MB, of which the device thread cleared each page before it computed it
/// (2026-11-28, <c>./dev bench create</c>). Thread-safe.
/// </remarks>
/// <param name="mostBytes">The most that is kept. It is beside the KV budget, which counts what is in use.</param>
internal sealed unsafe class KvFreeList(long mostBytes)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<long, Stack<nint>> _free = [];

    /// <summary>Gets the bytes that are kept.</summary>
    public long Bytes { get; private set; }

    /// <summary>Gives memory of undefined content, aligned as <see cref="HugePages.Allocate"/> does.</summary>
    /// <param name="bytes">How many; at least 1.</param>
    /// <exception cref="OutOfMemoryException">There is not so much: free some, or ask for less.</exception>
    public void* Allocate(long bytes)
    {
        lock (_gate)
        {
            if (_free.TryGetValue(bytes, out var blocks) && blocks.TryPop(out var block))
            {
                Bytes -= bytes;
                return (void*)block;
            }
        }

        try
        {
            return HugePages.Allocate(bytes);
        }
        catch (OutOfMemoryException) when (Drop(0, except: 0))
        {
            return HugePages.Allocate(bytes);
        }
    }

    /// <summary>Takes memory back. Where there is no room for it, that of other sizes goes first: it is of a model or a page size that is used less.</summary>
    /// <param name="memory">What <see cref="Allocate"/> gave for so many bytes; nobody uses it any more.</param>
    /// <param name="bytes">How many.</param>
    public void Free(void* memory, long bytes)
    {
        lock (_gate)
        {
            if (bytes > mostBytes || (Bytes + bytes > mostBytes && !Drop(mostBytes - bytes, except: bytes)))
            {
                NativeMemory.AlignedFree(memory);
                return;
            }

            if (!_free.TryGetValue(bytes, out var blocks))
            {
                _free[bytes] = blocks = [];
            }

            blocks.Push((nint)memory);
            Bytes += bytes;
        }
    }

    // Gives memory back to the system until no more than so much is kept; says whether it came to that, and gave any.
    private bool Drop(long most, long except)
    {
        lock (_gate)
        {
            var before = Bytes;
            foreach (var (size, blocks) in _free)
            {
                while (size != except && Bytes > most && blocks.TryPop(out var block))
                {
                    NativeMemory.AlignedFree((void*)block);
                    Bytes -= size;
                }
            }

            return Bytes <= most && Bytes < before;
        }
    }
}
