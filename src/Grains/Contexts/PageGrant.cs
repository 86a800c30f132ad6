using Granary.Grains.Residency;
using Granary.Inference.Pages;

namespace Granary.Grains.Contexts;

/// <summary>What an ask holds from its admission to its end: its context's pages, the bytes of its tail, and where the pages came from.</summary>
internal sealed record PageGrant(LeaseReader Reader, KvReservation Tail) : IDisposable
{
    /// <summary>Gets the tokens of pages that were in memory.</summary>
    public int ResidentTokens { get; init; }

    /// <summary>Gets the tokens of pages that were read from the store.</summary>
    public int RestoredTokens { get; init; }

    /// <summary>Gets the tokens of pages that were computed.</summary>
    public int RecomputedTokens { get; init; }

    /// <summary>Gets the plan's decision.</summary>
    public required string Decision { get; init; }

    /// <summary>Gets the plan's reason.</summary>
    public required string Reason { get; init; }

    /// <summary>A context whose pages were all in memory.</summary>
    public static PageGrant Resident(LeaseReader reader, KvReservation tail, int tokens) =>
        new(reader, tail) { ResidentTokens = tokens, Decision = "resident", Reason = "every page is in device memory" };

    /// <summary>A context whose lease was filled for this ask, or while it waited.</summary>
    public static PageGrant Of(LeaseReader reader, KvReservation tail, FillOutcome outcome, string reason) => new(reader, tail)
    {
        ResidentTokens = outcome.ResidentTokens,
        RestoredTokens = outcome.RestoredTokens,
        RecomputedTokens = outcome.RecomputedTokens,
        Decision = outcome.Decision,
        Reason = reason,
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        Reader.Dispose();
        Tail.Dispose();
    }
}
