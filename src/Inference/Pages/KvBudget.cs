namespace Granary.Inference.Pages;

/// <summary>The KV bytes of one device: who may have them, and in which order.</summary>
/// <remarks>
/// Invariant 10: first in first out per class, interactive before batch; more than the budget fails at once; what is used never exceeds the budget.
/// A waiter that does not fit holds back those behind it, so a large request is not starved by small ones.
/// </remarks>
/// <param name="totalBytes">The budget.</param>
/// <param name="reclaim">Asked to free at least so many bytes, answers how many it freed. Called outside all locks, by one thread at a time; it must not throw.</param>
public sealed class KvBudget(long totalBytes, Func<long, long>? reclaim = null)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _interactive = new();
    private readonly LinkedList<Waiter> _batch = new();
    private long _total = totalBytes >= 0 ? totalBytes : throw new ArgumentOutOfRangeException(nameof(totalBytes));
    private long _used;
    private long _events;
    private bool _reclaiming;

    /// <summary>Gets the bytes that may be held together: the budget, less what was set aside.</summary>
    public long TotalBytes => Interlocked.Read(ref _total);

    /// <summary>Gets or sets who frees bytes that nobody reads, asked for at least so many; it answers how many it freed.</summary>
    /// <value>Default: frees nothing.</value>
    public Func<long, long> Reclaim { get; set; } = reclaim ?? (_ => 0);

    /// <summary>Gets who tells how many of the bytes that are held cannot be reclaimed, however long one waits. Called outside all locks.</summary>
    /// <value>Default: none.</value>
    public Func<long> Kept { get; init; } = static () => 0;

    /// <summary>Gets the bytes that are reserved or held now.</summary>
    public long UsedBytes
    {
        get
        {
            lock (_lock)
            {
                return _used;
            }
        }
    }

    /// <summary>Gets the requests that wait for bytes.</summary>
    public int Waiters
    {
        get
        {
            lock (_lock)
            {
                return _interactive.Count + _batch.Count;
            }
        }
    }

    /// <summary>Waits until bytes are free, in order.</summary>
    /// <param name="bytes">All bytes that the request will need.</param>
    /// <param name="batch">Whether interactive requests go first.</param>
    /// <param name="cancellationToken">Gives the place in the queue back.</param>
    /// <returns>The bytes; the caller disposes them.</returns>
    /// <exception cref="Errors.InferenceException"><c>KvBudgetExceeded</c>: more than the whole budget, or than pinned contexts leave of it. Raise it, or unpin one.</exception>
    public async Task<KvReservation> AdmitAsync(long bytes, bool batch, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        cancellationToken.ThrowIfCancellationRequested();
        RequireFits(bytes);
        var waiter = new Waiter(bytes);
        var queue = batch ? _batch : _interactive;
        lock (_lock)
        {
            waiter.Node = queue.AddLast(waiter);
            _events++;
        }

        // Queued first: who keeps bytes from now on sees this waiter.
        if (Kept() is var kept && bytes > TotalBytes - kept && TryRemove(waiter, queue))
        {
            Grant();
            throw PageErrors.BudgetExceeded(bytes, TotalBytes, kept);
        }

        using var registration = cancellationToken.UnsafeRegister(_ => Leave(waiter, queue, cancellationToken), null);
        Grant();
        await waiter.Admitted.Task.ConfigureAwait(false);
        return new KvReservation(this, bytes);
    }

    /// <summary>Takes bytes where they are free now and nobody waits; reclaims nothing.</summary>
    /// <param name="bytes">All bytes that the request will need.</param>
    /// <returns>The bytes, which the caller disposes; <see langword="null"/> where they would have to be waited for.</returns>
    public KvReservation? TryAdmit(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        lock (_lock)
        {
            if (_interactive.Count + _batch.Count > 0 || bytes > TotalBytes - _used)
            {
                return null;
            }

            _used += bytes;
        }

        return new KvReservation(this, bytes);
    }

    /// <summary>Refuses what could never be admitted.</summary>
    /// <param name="bytes">All bytes of a request.</param>
    /// <exception cref="Errors.InferenceException"><c>KvBudgetExceeded</c>: more than the whole budget, or than pinned contexts leave of it. Raise it, or unpin one.</exception>
    public void RequireFits(long bytes) => RequireFits(bytes, Kept());

    /// <summary>Refuses what could never be admitted.</summary>
    /// <param name="bytes">All bytes of a request.</param>
    /// <param name="kept">What is not to be had.</param>
    /// <exception cref="Errors.InferenceException"><c>KvBudgetExceeded</c>: more than is to be had.</exception>
    public void RequireFits(long bytes, long kept)
    {
        if (bytes > TotalBytes - kept)
        {
            throw PageErrors.BudgetExceeded(bytes, TotalBytes, kept);
        }
    }

    /// <summary>Sets bytes aside for good, for what is no page and no tail. Who waits for more than is left is refused.</summary>
    /// <param name="bytes">How many.</param>
    /// <exception cref="Errors.InferenceException"><c>KvBudgetExceeded</c>: more than the budget has.</exception>
    public void SetAside(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        List<Waiter> refused;
        lock (_lock)
        {
            RequireFits(bytes, kept: 0);
            Interlocked.Add(ref _total, -bytes);
            refused = [.. _interactive.Concat(_batch).Where(waiter => waiter.Bytes > TotalBytes)];
            foreach (var waiter in refused)
            {
                waiter.Node!.List!.Remove(waiter.Node);
                waiter.Node = null;
            }
        }

        refused.ForEach(waiter => waiter.Admitted.TrySetException(PageErrors.BudgetExceeded(waiter.Bytes, TotalBytes)));
        NoteReclaimable();
    }

    /// <summary>Tells whether all who wait could be admitted one day if some bytes were never reclaimed.</summary>
    /// <param name="keptBytes">Those bytes.</param>
    /// <returns>Whether they could.</returns>
    public bool FitsAllWaiters(long keptBytes)
    {
        lock (_lock)
        {
            return _interactive.Concat(_batch).All(waiter => waiter.Bytes <= TotalBytes - keptBytes);
        }
    }

    /// <summary>Looks whether the first waiter can be admitted now: told when memory that could not be reclaimed can be.</summary>
    public void NoteReclaimable()
    {
        lock (_lock)
        {
            _events++;
        }

        Grant();
    }

    internal void Return(long bytes)
    {
        lock (_lock)
        {
            _used -= bytes;
            _events++;
        }

        Grant();
    }

    private void Leave(Waiter waiter, LinkedList<Waiter> queue, CancellationToken cancellationToken)
    {
        if (TryRemove(waiter, queue))
        {
            waiter.Admitted.TrySetCanceled(cancellationToken);
            Grant();
        }
    }

    private bool TryRemove(Waiter waiter, LinkedList<Waiter> queue)
    {
        lock (_lock)
        {
            if (waiter.Node is null)
            {
                return false; // admitted first: the caller gets the bytes
            }

            queue.Remove(waiter.Node);
            waiter.Node = null;
            _events++;
            return true;
        }
    }

    private void Grant()
    {
        while (true)
        {
            long missing, events;
            lock (_lock)
            {
                missing = GrantHeads();
                if (missing == 0 || _reclaiming)
                {
                    return; // whoever reclaims now looks again when anything happened meanwhile
                }

                _reclaiming = true;
                events = _events;
            }

            var again = false;
            try
            {
                Reclaim(missing);
            }
            finally
            {
                lock (_lock)
                {
                    _reclaiming = false;
                    again = _events != events;
                }
            }

            if (!again)
            {
                return; // nothing came back; the next return, arrival or departure looks again
            }
        }
    }

    // Returns the bytes that the first waiter still misses, 0 where none waits.
    private long GrantHeads()
    {
        while ((_interactive.First ?? _batch.First) is { } head)
        {
            var missing = head.Value.Bytes - (TotalBytes - _used);
            if (missing > 0)
            {
                return missing;
            }

            _used += head.Value.Bytes;
            head.List!.Remove(head);
            head.Value.Node = null;
            head.Value.Admitted.TrySetResult();
        }

        return 0;
    }

    private sealed class Waiter(long bytes)
    {
        public long Bytes { get; } = bytes;

        public TaskCompletionSource Admitted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public LinkedListNode<Waiter>? Node { get; set; }
    }
}
