using Granary.Datasets;
using Granary.Errors;

namespace Granary.Client.Datasets;

/// <summary>Adds up what contexts would take; a page counts where its hash is met first.</summary>
internal sealed class EstimateSum
{
    private const int MostFailuresKept = 100;

    private readonly HashSet<string> _pages = new(StringComparer.Ordinal);
    private readonly List<DatasetFailure> _failures = [];

    /// <param name="source">The data set; what of it cannot be read has failed.</param>
    public EstimateSum(DatasetSource source)
    {
        Total = new DatasetEstimate { Items = source.Items.Count + source.Failures.Count };
        foreach (var failure in source.Failures)
        {
            Fail(failure);
        }
    }

    /// <summary>Gets the sum so far.</summary>
    public DatasetEstimate Total { get; private set; }

    /// <summary>Counts an item that would fail.</summary>
    /// <param name="failure">The item, and why.</param>
    public void Fail(DatasetFailure failure)
    {
        if (_failures.Count < MostFailuresKept)
        {
            _failures.Add(failure);
        }

        Total = Total with { Done = Total.Done + 1, Failed = Total.Failed + 1, Failures = [.. _failures] };
    }

    /// <summary>Counts an item.</summary>
    /// <param name="item">Its id.</param>
    /// <param name="context">What it would take.</param>
    public void Add(string item, ContextEstimate context)
    {
        if (context.Code is { } code)
        {
            Fail(new DatasetFailure(item, code, context.Message ?? ErrorCodes.Internal));
            return;
        }

        var sum = Total with { Done = Total.Done + 1, Tokens = Total.Tokens + context.Tokens, Pages = Total.Pages + context.Pages.Length, Exact = Total.Exact && context.Exact };
        foreach (var page in context.Pages.Where(page => _pages.Add(page.Hash)))
        {
            sum = sum with { DistinctPages = sum.DistinctPages + 1, ResidentBytes = sum.ResidentBytes + page.KvBytes };
            sum = page.IsStored
                ? sum with { StoredPages = sum.StoredPages + 1 }
                : sum with { PrefillTokens = sum.PrefillTokens + page.Tokens, StoreBytes = sum.StoreBytes + page.StoredBytes, Seconds = sum.Seconds + page.PrefillSeconds };
        }

        Total = sum;
    }
}
