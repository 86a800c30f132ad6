namespace Granary.Inference.Pages;

/// <summary>The complete pages of one device by chunk hash, so that forks and shared prefixes are held once.</summary>
/// <remarks>Weak: an entry goes with the page's last reference, and a page whose last reference went is never handed out again. Safe for concurrent use.</remarks>
public sealed class KvPageTable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, KvPage> _pages = new(StringComparer.Ordinal);

    /// <summary>Gets the number of pages that are shared now.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _pages.Count;
            }
        }
    }

    /// <summary>Finds a page.</summary>
    /// <param name="hash">Its chunk's hash.</param>
    /// <returns>The page, with a reference that the caller releases, or <see langword="null"/>.</returns>
    public KvPage? Find(string hash)
    {
        lock (_lock)
        {
            return _pages.TryGetValue(hash, out var page) && page.TryAddReference() ? page : null;
        }
    }

    /// <summary>Shares a complete page, or swaps it for the one that is shared already.</summary>
    /// <param name="hash">The chunk's hash.</param>
    /// <param name="page">The page; the caller's reference goes over to the result.</param>
    /// <returns>The page to use from now on, with the caller's reference.</returns>
    public KvPage Share(string hash, KvPage page)
    {
        KvPage? shared;
        lock (_lock)
        {
            if (!_pages.TryGetValue(hash, out shared) || !shared.TryAddReference())
            {
                page.ShareIn(this, hash);
                _pages[hash] = page;
                return page;
            }
        }

        page.Release(); // outside the lock: it may return bytes, and so wake others; harmless where both are the same page
        return shared;
    }

    internal void Remove(KvPage page)
    {
        lock (_lock)
        {
            // Another page may have taken the place between the last release and this.
            if (page.Key is { } key && _pages.TryGetValue(key, out var shared) && ReferenceEquals(shared, page))
            {
                _pages.Remove(key);
            }
        }
    }
}
