namespace Granary.Inference.Pages;

/// <summary>An ask's own KV: its prompt's and its answer's, allocated up front. The shared pages before it are never written.</summary>
public sealed class KvTail : IDisposable
{
    private int _disposed;

    private KvTail(KvLayout layout, int start, int capacity, KvReservation? reservation)
    {
        Data = new KvMemory(layout, capacity, reservation);
        Start = start;
    }

    /// <summary>Gets the position of the tail's first token: the context's length.</summary>
    public int Start { get; }

    /// <summary>Gets the tokens that fit.</summary>
    public int Capacity => Data.Capacity;

    /// <summary>Gets the tokens that are held.</summary>
    public int Count { get; internal set; }

    /// <summary>Gets the size of the memory.</summary>
    public long Bytes => Data.Bytes;

    internal KvMemory Data { get; }

    /// <summary>Allocates a tail.</summary>
    /// <param name="layout">How the KV lies.</param>
    /// <param name="start">The context's length.</param>
    /// <param name="capacity">Prompt tokens and new tokens together.</param>
    /// <param name="reservation">Pays for the bytes.</param>
    /// <returns>The tail; the caller disposes it.</returns>
    public static KvTail Allocate(KvLayout layout, int start, int capacity, KvReservation reservation) => Create(layout, start, capacity, reservation);

    /// <summary>Frees the memory, once the engine has let go of it, and returns its bytes to the budget.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            Data.Release();
        }
    }

    internal static KvTail Create(KvLayout layout, int start, int capacity, KvReservation? reservation)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        return new KvTail(layout, start, capacity, reservation);
    }
}
