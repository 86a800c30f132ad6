using System.Buffers;
using System.Runtime.InteropServices;
using Granary.Inference.Kernels;

namespace Granary.Inference.Pages;

/// <summary>Reference-counted native memory for the KV of one run of positions, laid out as <see cref="KvLayout"/> says.</summary>
/// <remarks>64-byte aligned: libtorch's kernels read whole cache lines, and their bits may depend on the alignment.</remarks>
internal sealed unsafe class KvMemory : MemoryManager<byte>
{
    // Smaller blocks are the allocator's.
    private const long LeastOwn = 128 << 10;

    private static readonly KvFreeList FreeList = new(Math.Min(512L << 20, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 16));
    private static long _liveBytes;
    private readonly KvReservation? _held;
    private byte* _address;
    private int _references = 1;

    /// <param name="layout">How the KV lies.</param>
    /// <param name="capacity">Tokens that fit.</param>
    /// <param name="reservation">Pays for the bytes; <see langword="null"/> for a run that has no budget.</param>
    public KvMemory(KvLayout layout, int capacity, KvReservation? reservation)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        Layout = layout;
        Capacity = capacity;
        Bytes = layout.BytesOf(capacity);
        _held = reservation?.Take(Bytes);
        try
        {
            _address = (byte*)(IsKept ? FreeList.Allocate(Bytes) : IsMapped ? MappedMemory.Allocate(Bytes) : HugePages.Allocate(Math.Max(Bytes, 1)));
            Interlocked.Add(ref _liveBytes, Bytes);
        }
        catch
        {
            _held?.Dispose();
            throw;
        }
    }

    /// <summary>Gets the bytes of all whose last reference did not go, in this process: counted where they are allocated, not where they were admitted.</summary>
    public static long LiveBytes => Interlocked.Read(ref _liveBytes);

    public KvLayout Layout { get; }

    public int Capacity { get; }

    public long Bytes { get; }

    /// <summary>Gets or sets who is told that the last reference went.</summary>
    public Action? Freed { get; set; }

    public nint Address => _references > 0 ? (nint)_address : throw new ObjectDisposedException(nameof(KvMemory), "KV memory was used after its last reference went.");

    // Full pages are all of one size; tails and last pages are of any.
    private bool IsKept => Capacity == Layout.PageSize && Bytes >= LeastOwn;

    private bool IsMapped => !IsKept && Bytes >= LeastOwn;

    /// <summary>Adds a reference unless the last one went already.</summary>
    public bool TryAddReference()
    {
        while (true)
        {
            var references = Volatile.Read(ref _references);
            if (references == 0)
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref _references, references + 1, references) == references)
            {
                return true;
            }
        }
    }

    /// <summary>Drops a reference. The last one frees the memory and returns its bytes to the budget.</summary>
    /// <returns>Whether it was the last.</returns>
    public bool Release()
    {
        var left = Interlocked.Decrement(ref _references);
        if (left < 0)
        {
            throw new ObjectDisposedException(nameof(KvMemory), "KV memory was released more often than referenced.");
        }

        if (left > 0)
        {
            return false;
        }

        Interlocked.Add(ref _liveBytes, -Bytes);
        if (IsKept)
        {
            FreeList.Free(_address, Bytes);
        }
        else if (IsMapped)
        {
            MappedMemory.Free(_address, Bytes);
        }
        else
        {
            NativeMemory.AlignedFree(_address);
        }

        _address = null;
        Freed?.Invoke();
        _held?.Dispose();
        return true;
    }

    public override Span<byte> GetSpan() => new((void*)Address, checked((int)Bytes));

    public override MemoryHandle Pin(int elementIndex = 0) => new((byte*)Address + elementIndex); // native memory does not move

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
    }
}
