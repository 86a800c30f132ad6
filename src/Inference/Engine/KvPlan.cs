using Granary.Inference.Models;
using Granary.Inference.Pages;

namespace Granary.Inference.Engine;

/// <summary>Checks of what a caller lends to a request, before it is queued.</summary>
internal static class KvPlan
{
    /// <summary>Checks that pages follow each other from position 0, all full but the last.</summary>
    /// <returns>Their tokens.</returns>
    public static int Check(KvLayout layout, IReadOnlyList<KvPage> pages)
    {
        var tokens = 0;
        foreach (var page in pages)
        {
            if (page.Layout != layout || page.Start != tokens || tokens % layout.PageSize != 0)
            {
                throw EngineErrors.Invalid(
                    $"A page of {page.Count} tokens at {page.Start} ({page.Layout}) does not follow {tokens} tokens ({layout}).",
                    "Pass the context's pages in order, all full but the last, of the same model.");
            }

            tokens += page.Count;
        }

        return tokens;
    }

    /// <summary>Checks that a tail follows the context and holds what will be written.</summary>
    public static void Check(KvLayout layout, KvTail tail, int start, int tokens)
    {
        if (tail.Data.Layout != layout || tail.Start != start || tail.Capacity < tokens || tail.Count != 0)
        {
            throw EngineErrors.Invalid(
                $"A tail at {tail.Start} with {tail.Count} of {tail.Capacity} tokens does not fit {tokens} tokens at {start}.",
                "Allocate a fresh tail at the context's length, for prompt and new tokens.");
        }
    }

    /// <summary>Checks token ids against the vocabulary.</summary>
    public static void Check(ReadOnlySpan<int> tokenIds, int vocabulary)
    {
        for (var index = 0; index < tokenIds.Length; index++)
        {
            if ((uint)tokenIds[index] >= (uint)vocabulary)
            {
                throw EngineErrors.OutsideVocabulary(tokenIds[index], index, vocabulary);
            }
        }
    }

    /// <summary>Gets how many rows the next step takes: up to the next page boundary, which no step crosses.</summary>
    public static int Rows(int position, int remaining, int pageSize) => Math.Min(remaining, pageSize - position % pageSize);

    /// <summary>Gets what pages hold, and a place for one more run.</summary>
    public static KvRun[] RunsOf(IReadOnlyList<KvPage> pages)
    {
        var runs = new KvRun[pages.Count + 1];
        for (var page = 0; page < pages.Count; page++)
        {
            runs[page] = new KvRun(pages[page].Data, pages[page].Count);
        }

        return runs;
    }
}
