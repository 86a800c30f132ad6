using Granary.Cli.Documents;
using Granary.Datasets;

namespace Granary.Cli.Demo;

/// <summary>What the demo found.</summary>
/// <param name="Document">The figures.</param>
/// <param name="FirstDifference">The first question whose answers differ, or that no cache answered; <see langword="null"/> where all is well.</param>
internal sealed record DemoResult(DemoDocument Document, string? FirstDifference)
{
    /// <summary>Compares the three passes.</summary>
    /// <param name="status">The precomputation.</param>
    /// <param name="noCache">Answers without caches.</param>
    /// <param name="resident">Answers with resident caches.</param>
    /// <param name="restored">Answers of another process, from the store.</param>
    /// <returns>The result.</returns>
    public static DemoResult Of(DatasetStatus status, IReadOnlyList<AskedQuestion> noCache, IReadOnlyList<AskedQuestion> resident, IReadOnlyList<AskedQuestion> restored)
    {
        var differences = noCache.Select(asked => FindDifference(asked, resident, restored)).ToList();
        var document = new DemoDocument(
            status.Items - status.Failed,
            status.Tokens,
            status.StoredBytes,
            PrefillTokensPerSecond(status, noCache),
            new FirstTokenSeconds(
                Median(noCache),
                Median(resident.Where(asked => asked.WasResident), resident),
                Median(restored.Where(asked => asked.WasRestored), restored)),
            Share(noCache.Count(asked => asked.IsExactMatch), noCache.Count),
            Share(differences.Count(difference => difference is null), noCache.Count),
            noCache.Concat(resident).Concat(restored).All(static asked => asked.Exact));
        return new DemoResult(document, differences.Find(difference => difference is not null) ?? FindMissingCache(resident, restored));
    }

    // Equal answers prove nothing about restoring if nothing was restored.
    private static string? FindMissingCache(IReadOnlyList<AskedQuestion> resident, IReadOnlyList<AskedQuestion> restored)
    {
        if (restored.Count == 0)
        {
            return "The data set asks no question.";
        }

        var recomputed = resident.Concat(restored).FirstOrDefault(asked => asked.Usage is not { RecomputedTokens: 0 });
        return recomputed is not null
            ? $"{recomputed.Question} was answered by computing its context anew, though its cache is stored."
            : restored.GroupBy(asked => asked.Item).FirstOrDefault(item => !item.Any(asked => asked.WasRestored)) is { } item
                ? $"No question of {item.Key} was answered from a restored cache."
                : null;
    }

    private static string? FindDifference(AskedQuestion asked, IReadOnlyList<AskedQuestion> resident, IReadOnlyList<AskedQuestion> restored)
    {
        foreach (var (way, answers) in new[] { ("resident", resident), ("restored", restored) })
        {
            var other = answers.FirstOrDefault(answer => answer.Item == asked.Item && answer.Question == asked.Question);
            if ((other is null ? "not asked" : asked.FindDifference(other)) is { } difference)
            {
                return $"{asked.Question}, without cache and {way}: {difference}.";
            }
        }

        return null;
    }

    // Where everything was found stored, this run's only prefill is that of the pass without caches; its time includes the prompts' steps.
    private static double PrefillTokensPerSecond(DatasetStatus status, IReadOnlyList<AskedQuestion> noCache)
    {
        if (status is { PrefilledTokens: > 0, PrefillSeconds: > 0 })
        {
            return status.PrefilledTokens / status.PrefillSeconds;
        }

        var seconds = noCache.Sum(asked => asked.FirstTokenSeconds);
        return seconds > 0 ? noCache.Sum(asked => (long)(asked.Usage?.RecomputedTokens ?? 0) + (asked.Usage?.PromptTokens ?? 0)) / seconds : 0;
    }

    private static double Median(IEnumerable<AskedQuestion> asked, IEnumerable<AskedQuestion>? otherwise = null)
    {
        var sorted = asked.Select(question => question.FirstTokenSeconds).Order().ToList();
        return sorted.Count > 0
            ? (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2
            : otherwise is null ? 0 : Median(otherwise);
    }

    private static double Share(int count, int all) => all == 0 ? 0 : (double)count / all;
}
