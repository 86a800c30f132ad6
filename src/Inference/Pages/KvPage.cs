using System.Buffers;

namespace Granary.Inference.Pages;

/// <summary>The KV of one page's tokens on a device, shared by all who hold a reference.</summary>
/// <remarks>Laid out as a chunk's data. Written once, by the step that computes it or the read that restores it, then never again. Invariant 9: freed with the last reference.</remarks>
public sealed class KvPage
{
    private KvPageTable? _table;

    private KvPage(KvLayout layout, int start, int count, KvReservation? reservation)
    {
        Data = new KvMemory(layout, count, reservation) { Freed = () => _table?.Remove(this) };
        Start = start;
        Count = count;
    }

    /// <summary>Gets the position of the page's first token.</summary>
    public int Start { get; }

    /// <summary>Gets the page's tokens.</summary>
    public int Count { get; }

    /// <summary>Gets how the KV lies.</summary>
    public KvLayout Layout => Data.Layout;

    /// <summary>Gets the size of the KV.</summary>
    public long Bytes => Data.Bytes;

    /// <summary>Gets the KV's bytes, valid while the caller holds a reference.</summary>
    public Memory<byte> Memory => Data.Memory;

    /// <summary>Gets the KV's bytes, valid while the caller holds a reference.</summary>
    public Span<byte> Span => Data.GetSpan();

    /// <summary>Gets the size of the KV as a chunk has it.</summary>
    public long StoredBytes => Layout.StoredBytesOf(Count);

    /// <summary>Gets where a chunk's KV is read to, before <see cref="Decode"/>: all of the memory, or the end of it.</summary>
    public Memory<byte> Incoming => Memory[(int)(Bytes - StoredBytes)..];

    /// <summary>Gets the hash under which a table shares the page; <see langword="null"/> where none does.</summary>
    public string? Key { get; private set; }

    /// <summary>Gets the KV bytes that are allocated in this process: pages, tails and what is being computed, whoever pays for them.</summary>
    public static long AllocatedBytes => KvMemory.LiveBytes;

    internal KvMemory Data { get; }

    /// <summary>Allocates a page with one reference, the caller's. Its content is undefined.</summary>
    /// <param name="layout">How the KV lies.</param>
    /// <param name="start">The position of the first token, a multiple of the page size.</param>
    /// <param name="count">Tokens, 1 to the page size.</param>
    /// <param name="reservation">Pays for the bytes.</param>
    /// <returns>The page.</returns>
    public static KvPage Allocate(KvLayout layout, int start, int count, KvReservation reservation) => Create(layout, start, count, reservation);

    /// <summary>Adds a reference.</summary>
    /// <exception cref="ObjectDisposedException">The last reference went already: hold one yourself while you add another.</exception>
    public void AddReference() => ObjectDisposedException.ThrowIf(!TryAddReference(), this);

    /// <summary>Drops a reference. The last one frees the memory and returns its bytes to the budget.</summary>
    /// <returns>Whether it was the last.</returns>
    public bool Release() => Data.Release();

    /// <summary>Makes KV of what was read into <see cref="Incoming"/>, in place. Nobody else may read the page yet.</summary>
    public void Decode()
    {
        if (Layout.Codec != KvCodec.None)
        {
            PageCodec.Decode(Data);
        }
    }

    /// <summary>Gets the KV as a chunk has it, without loss: the page went through its codec when it was computed.</summary>
    /// <returns>The bytes, in memory that is rented where they are not the page's own; the caller disposes it and holds a reference until then.</returns>
    public EncodedPage Encode()
    {
        if (Layout.Codec == KvCodec.None)
        {
            return new EncodedPage(Memory, null);
        }

        var rented = MemoryPool<byte>.Shared.Rent((int)StoredBytes);
        var stored = rented.Memory[..(int)StoredBytes];
        PageCodec.Encode(Data, stored.Span);
        return new EncodedPage(stored, rented);
    }

    internal static KvPage Create(KvLayout layout, int start, int count, KvReservation? reservation)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, layout.PageSize);
        ArgumentOutOfRangeException.ThrowIfNotEqual(start % layout.PageSize, 0, nameof(start));
        return new KvPage(layout, start, count, reservation);
    }

    internal bool TryAddReference() => Data.TryAddReference();

    // Called under the table's lock, by a caller that holds a reference.
    internal void ShareIn(KvPageTable table, string key)
    {
        if (_table is not null)
        {
            throw new InvalidOperationException($"The page is shared already, as {Key}.");
        }

        (_table, Key) = (table, key);
    }
}
