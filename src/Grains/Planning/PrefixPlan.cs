using System.Globalization;
using Granary.Contexts;

namespace Granary.Grains.Planning;

/// <summary>For the pages of one chain: whether a stored one is loaded or computed, page by page from the front, and what that came to (invariant 11).</summary>
/// <remarks>
/// A page is loaded where its share of the reads is expected to take less than its computation. What was decided last holds within 20 %, so that two
/// ways that are alike do not alternate. Where pages may not be stored at all, a look is worth 2 % of what it may save. Not thread-safe: it lives on its grain's scheduler.
/// </remarks>
/// <param name="pages">The chain's pages, in order.</param>
/// <param name="choice">What the caller chose.</param>
/// <param name="store">How fast pages are read.</param>
/// <param name="pace">How fast they are computed.</param>
internal sealed class PrefixPlan(IReadOnlyList<PlannedPage> pages, PlanChoice choice, StoreSpeed store, ModelPace pace)
{
    private const double Sticky = 1.2;
    private const double MostForALook = 0.02;

    // A read that takes so much longer than expected, while others go on beside it, is no read any more: the store does not answer.
    private const int ReadsBeside = 4;
    private const double MostSlowdown = 4;
    private static readonly TimeSpan LeastPatience = TimeSpan.FromSeconds(2);

    private (double Load, double Compute)? _expected;
    private bool _reads;
    private bool _lookingCostsTooMuch;
    private bool _isStoreSilent;
    private TimeSpan? _abandonedAfter;
    private double _loadSeconds;
    private double _computeSeconds;

    /// <summary>Gets whether both speeds are known, so that there is something to compare.</summary>
    private bool IsInformed => store.IsKnown && pace.Prefill.IsKnown;

    /// <summary>Decides about a page that is not in memory.</summary>
    /// <param name="page">Its place in the chain.</param>
    /// <returns>Whether it is loaded, if it is stored.</returns>
    public bool Loads(int page)
    {
        if (choice == PlanChoice.Load || !IsInformed)
        {
            return true;
        }

        var (load, compute) = ExpectRest(page);
        _expected ??= (load, compute);

        // Reads that go on side by side share one wait.
        var share = _reads ? store.Expect(pages[page].Bytes, waits: false) : load / (pages.Count - page);
        pace.Loads = share <= pace.Prefill.Expect(pages[page].Operations) * (pace.Loads ? Sticky : 1 / Sticky);
        _reads |= pace.Loads;
        return pace.Loads;
    }

    /// <summary>Decides whether to look for a page that may not be stored.</summary>
    /// <param name="page">Its place in the chain.</param>
    public bool Looks(int page)
    {
        if (choice == PlanChoice.Load || !IsInformed)
        {
            return true;
        }

        _lookingCostsTooMuch = store.Wait > MostForALook * ExpectRest(page).Compute;
        return !_lookingCostsTooMuch && Loads(page);
    }

    /// <summary>Gets how long a page's read is waited for; what it takes longer, its computation would have taken less.</summary>
    /// <param name="page">Its place in the chain.</param>
    /// <returns>A time; <see cref="Timeout.InfiniteTimeSpan"/> where loading was chosen, and so as long as the store's own bounds.</returns>
    public TimeSpan PatienceFor(int page)
    {
        if (choice == PlanChoice.Load)
        {
            return Timeout.InfiniteTimeSpan;
        }

        var most = TimeSpan.FromSeconds(MostSlowdown * store.Expect(ReadsBeside * pages[page].Bytes, waits: true));
        return most > LeastPatience ? most : LeastPatience;
    }

    /// <summary>Learns how long a page took to load.</summary>
    /// <param name="page">Its place in the chain.</param>
    /// <param name="waits">Whether nothing else was being read when that began.</param>
    /// <param name="took">Its time; where something else was being read, from that one's end on.</param>
    public void Loaded(int page, bool waits, TimeSpan took)
    {
        _loadSeconds += took.TotalSeconds;
        store.Observe(pages[page].Bytes, waits, took);
    }

    /// <summary>Learns that a page's read was given up: the store is at least so slow.</summary>
    /// <param name="page">Its place in the chain.</param>
    /// <param name="waits">Whether nothing else was being read when that began.</param>
    /// <param name="took">How long it was waited for.</param>
    public void Abandoned(int page, bool waits, TimeSpan took)
    {
        _abandonedAfter = took;
        store.Observe(pages[page].Bytes, waits, took);
    }

    /// <summary>Learns how long a page took to compute.</summary>
    /// <param name="page">Its place in the chain.</param>
    /// <param name="took">From the request to the engine to its result.</param>
    public void Computed(int page, TimeSpan took)
    {
        _computeSeconds += took.TotalSeconds;
        pace.Prefill.Observe(pages[page].Operations, took);
    }

    /// <summary>Learns that the store does not answer: nothing more is loaded.</summary>
    public void NoteSilence() => _isStoreSilent = true;

    /// <summary>Says what was decided, expected and measured.</summary>
    /// <param name="loadedTokens">Tokens of pages that were loaded.</param>
    /// <param name="computedTokens">Tokens of pages that were computed.</param>
    /// <param name="missingTokens">How many of these were looked for in the store, and not found or refused.</param>
    public string Explain(int loadedTokens, int computedTokens, int missingTokens)
    {
        if (loadedTokens + computedTokens == 0)
        {
            return "every page is in device memory";
        }

        var text = _isStoreSilent
            ? _abandonedAfter is { } waited ? Format($"the store did not give a page within {waited.TotalSeconds:G3} s") : "the store does not answer"
            : choice == PlanChoice.Load
                ? "loading was asked for"
                : _expected is { } expected
                    ? Format($"expected {expected.Load:G3} s to load and {expected.Compute:G3} s to compute what is not in memory")
                    : _lookingCostsTooMuch
                        ? Format($"a look into the store was expected to take {store.Wait:G3} s, too much for what it may save")
                        : "stored pages are loaded until their speed and the engine's are known";
        text += loadedTokens > 0 ? Format($"; loaded {loadedTokens} tokens in {_loadSeconds:G3} s") : "";
        text += computedTokens > 0 ? Format($"; computed {computedTokens} tokens in {_computeSeconds:G3} s") : "";
        return text + (missingTokens > 0 ? Format($", of which {missingTokens} were not in the store or refused") : "");
    }

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private (double Load, double Compute) ExpectRest(int page)
    {
        var (bytes, operations) = (0L, 0.0);
        for (var index = page; index < pages.Count; index++)
        {
            bytes += pages[index].Bytes;
            operations += pages[index].Operations;
        }

        return (store.Expect(bytes, waits: true), pace.Prefill.Expect(operations));
    }
}
