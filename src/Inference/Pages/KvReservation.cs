namespace Granary.Inference.Pages;

/// <summary>Bytes of a <see cref="KvBudget"/> that were admitted and belong to their holder until it disposes them.</summary>
/// <remarks>Invariant 10: everything a request needs is reserved up front and given back in <c>finally</c>. Safe for concurrent use.</remarks>
public sealed class KvReservation : IDisposable
{
    private readonly KvBudget _budget;
    private long _bytes;

    internal KvReservation(KvBudget budget, long bytes)
    {
        _budget = budget;
        _bytes = bytes;
    }

    /// <summary>Gets the bytes that are still held.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Moves bytes to an owner with a lifetime of its own, such as a page.</summary>
    /// <param name="bytes">How many, at most <see cref="Bytes"/>.</param>
    /// <returns>A reservation of exactly those bytes; the caller's.</returns>
    /// <exception cref="InvalidOperationException">Fewer bytes are left: reserve what the owners need together.</exception>
    public KvReservation Take(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        while (true)
        {
            var held = Interlocked.Read(ref _bytes);
            if (bytes > held)
            {
                throw new InvalidOperationException($"{bytes} bytes were taken from a reservation that holds {held}. Admit what its owners need together.");
            }

            if (Interlocked.CompareExchange(ref _bytes, held - bytes, held) == held)
            {
                return new KvReservation(_budget, bytes);
            }
        }
    }

    /// <summary>Gives the bytes that are still held back to the budget.</summary>
    public void Dispose()
    {
        var held = Interlocked.Exchange(ref _bytes, 0);
        if (held > 0)
        {
            _budget.Return(held);
        }
    }
}
