using Granary.Inference.Pages;

namespace Granary.Grains.Residency;

/// <summary>A context's right to its pages on this silo. The pages live until the owner has closed the lease and the last reader has left (invariant 9).</summary>
/// <remarks>Thread-safe: the registry reclaims a lease without readers at any moment, without a grain turn.</remarks>
internal sealed class ContextLease
{
    private readonly Lock _gate = new();
    private readonly List<KvPage> _pages = [];
    private readonly KvRegistry _registry;
    private int _readers;
    private bool _open = true;
    private bool _complete;
    private DateTimeOffset? _pinnedUntil;
    private bool _isKept;

    internal ContextLease(KvRegistry registry, IGrainContext owner, string tenant) => (_registry, Owner, Tenant) = (registry, owner, tenant);

    /// <summary>Gets the activation that it is closed with.</summary>
    internal IGrainContext Owner { get; }

    /// <summary>Gets who pays for the pages.</summary>
    public string Tenant { get; }

    /// <summary>Gets whether all pages are there and nobody has closed or reclaimed the lease.</summary>
    public bool IsResident
    {
        get
        {
            lock (_gate)
            {
                return _open && _complete;
            }
        }
    }

    /// <summary>Gets or sets where the lease stands in the order of reclaiming: the smallest goes first.</summary>
    internal long LastUse { get; set; }

    /// <summary>Gets the bytes of its pages, those shared with other contexts included.</summary>
    public long Bytes
    {
        get
        {
            lock (_gate)
            {
                return _pages.Sum(static page => page.Bytes);
            }
        }
    }

    /// <summary>Starts filling: the filler is the first reader, so that nothing is reclaimed below it.</summary>
    internal LeaseReader BeginFill()
    {
        lock (_gate)
        {
            _readers++;
        }

        return new LeaseReader(this, _pages);
    }

    /// <summary>Adds the next page; the lease takes over the caller's reference.</summary>
    public void Attach(KvPage page)
    {
        lock (_gate)
        {
            _pages.Add(page);
        }
    }

    /// <summary>Opens the lease for readers: all pages are there.</summary>
    public void Complete()
    {
        lock (_gate)
        {
            _complete = true;
        }
    }

    /// <summary>Has the registry keep the pages, which it would reclaim otherwise, while the context is pinned.</summary>
    /// <param name="until">Until when; <see langword="null"/> where it is not pinned.</param>
    /// <remarks>Where other pinned contexts leave no room for it, they are not kept for now; each reader tries again.</remarks>
    public void Keep(DateTimeOffset? until)
    {
        bool mayReclaim;
        lock (_gate)
        {
            if (!_open || (_pinnedUntil == until && (until is null || _isKept)))
            {
                return;
            }

            var was = _isKept;
            _pinnedUntil = until;
            _isKept = _registry.TryKeep(this, _pages.Sum(static page => page.Bytes), until);
            mayReclaim = was && !_isKept;
        }

        if (mayReclaim)
        {
            _registry.NoteReclaimable(this);
        }
    }

    /// <summary>Takes a read reference, which keeps all pages in memory until it is disposed.</summary>
    /// <returns>The reader; <see langword="null"/> where the lease was reclaimed, closed or is not complete.</returns>
    public LeaseReader? TryRead()
    {
        DateTimeOffset? pinnedUntil;
        lock (_gate)
        {
            if (!_open || !_complete)
            {
                return null;
            }

            _readers++;
            pinnedUntil = _pinnedUntil;
        }

        _registry.Touch(this);
        Keep(pinnedUntil);
        return new LeaseReader(this, _pages);
    }

    /// <summary>Drops the owner's reference. Idempotent.</summary>
    public void Close() => Close(onlyWithoutReaders: false);

    /// <summary>Drops the owner's reference if nobody reads. Called by the registry.</summary>
    /// <returns>The bytes that became free, which are not those of pages that others hold, too; <see langword="null"/> where it is read or closed.</returns>
    internal long? TryReclaim() => Close(onlyWithoutReaders: true);

    internal void Leave()
    {
        bool open;
        lock (_gate)
        {
            if (--_readers > 0)
            {
                return;
            }

            open = _open;
        }

        if (open)
        {
            // No byte came back, and yet a waiter may have waited for just this: nothing else would wake it.
            _registry.NoteReclaimable(this);
            return;
        }

        ReleasePages();
    }

    private long? Close(bool onlyWithoutReaders)
    {
        lock (_gate)
        {
            if (!_open || (onlyWithoutReaders && _readers > 0))
            {
                return null;
            }

            _open = false;
            _registry.Forget(this);
            if (_readers > 0)
            {
                return 0;
            }
        }

        return ReleasePages();
    }

    // Nobody else can reach the pages any more: the lease is closed and has no reader.
    private long ReleasePages()
    {
        var bytes = 0L;
        foreach (var page in _pages)
        {
            var pageBytes = page.Bytes;
            if (page.Release())
            {
                bytes += pageBytes;
            }
        }

        _pages.Clear();
        return bytes;
    }
}

/// <summary>Keeps a lease's pages in memory while somebody reads them.</summary>
internal sealed class LeaseReader(ContextLease lease, IReadOnlyList<KvPage> pages) : IDisposable
{
    private ContextLease? _lease = lease;

    /// <summary>Gets the pages, in order. The caller borrows them.</summary>
    public IReadOnlyList<KvPage> Pages { get; } = pages;

    /// <inheritdoc/>
    public void Dispose() => Interlocked.Exchange(ref _lease, null)?.Leave();
}
