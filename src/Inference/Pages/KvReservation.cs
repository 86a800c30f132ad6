namespace Granary.Inference.Pages;

/// <summary>Bytes of a <see cref="KvBudget"/> that were admitted and belong to their holder until it disposes them.</summary>
/// <remarks>Invariant 10: everything a request needs is reserved up front and given back in <c>finally</c>. Safe for concurrent use.</remarks>
public sealed class KvReservation : IDisposable
{
    private readonly KvBudget _budget;
    private readonly KvBudget? _also;
    private long _bytes;

    internal KvReservation(KvBudget budget, long bytes, KvBudget? also = null) => (_budget, _bytes, _also) = (budget, bytes, also);

    /// <summary>Gets the bytes that are still held.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Makes one of two reservations of as many bytes, each of another budget: whoever gives its bytes back gives them back to both.</summary>
    /// <param name="other">The other, of a budget alone; both go over to the result.</param>
    /// <returns>The reservation; the caller's.</returns>
    /// <exception cref="ArgumentException">They do not hold as many bytes.</exception>
    public KvReservation JoinedBy(KvReservation other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (Bytes != other.Bytes || _also is not null || other._also is not null)
        {
            throw new ArgumentException("Two reservations of other sizes, or of more budgets, cannot be one.", nameof(other));
        }

        Interlocked.Exchange(ref other._bytes, 0);
        return new KvReservation(_budget, Interlocked.Exchange(ref _bytes, 0), other._budget);
    }

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
                return new KvReservation(_budget, bytes, _also);
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
            _also?.Return(held);
        }
    }
}
