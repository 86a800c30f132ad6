using Granary.Contexts;
using Granary.Grains.Models;
using Granary.Grains.Stores;
using Granary.Inference.Pages;
using Granary.Models;
using Granary.Storage.Chunks;

namespace Granary.Grains.Contexts;

/// <summary>The pages that a lease is to be filled with, and where they may come from.</summary>
internal sealed record FillRequest
{
    /// <summary>Gets the model.</summary>
    public required ServedModel Model { get; init; }

    /// <summary>Gets the worker that computes missing pages.</summary>
    public required IModelWorkerGrain Worker { get; init; }

    /// <summary>Gets the chunk of each page, in order.</summary>
    public required ChunkIdentity[] Chain { get; init; }

    /// <summary>Gets the checksum that a manifest names, by chunk hash.</summary>
    public IReadOnlyDictionary<string, string?> Checksums { get; init; } = new Dictionary<string, string?>();

    /// <summary>Gets the bytes of all pages, admitted.</summary>
    public required KvReservation Reservation { get; init; }

    /// <summary>Gets whether resident and stored pages are left alone, and the computed ones kept private.</summary>
    public bool Private { get; init; }

    /// <summary>Gets whether every page is expected in the store, so that a missing one is a fault and the next is looked for all the same.</summary>
    public bool ExpectStored { get; init; }

    /// <summary>Gets whether a commit depends on what is stored, so that the store's answer is waited for as long as its own bounds allow.</summary>
    public bool MustKnow { get; init; }

    /// <summary>Gets whether the store is known not to answer, so that what it holds is computed and neither waited for nor written again.</summary>
    public bool IsStoreSilent { get; init; }

    /// <summary>Gets whether stored pages are loaded in any case, or where that is quicker.</summary>
    public PlanChoice Plan { get; init; }

    /// <summary>Gets whether pages that the store lacks are written to it.</summary>
    public bool Persist { get; init; }

    /// <summary>Gets what is told of each page that was written.</summary>
    public StoredRoom Room { get; init; } = StoredRoom.Unbounded;

    /// <summary>Gets whether the computation yields to interactive work.</summary>
    public bool Batch { get; init; }
}

/// <summary>Where the pages of a lease came from.</summary>
internal sealed class FillOutcome
{
    /// <summary>Gets or sets the tokens of pages that were in memory.</summary>
    public int ResidentTokens { get; set; }

    /// <summary>Gets or sets the tokens of pages that were read from the store.</summary>
    public int RestoredTokens { get; set; }

    /// <summary>Gets or sets the tokens of pages that were computed.</summary>
    public int RecomputedTokens { get; set; }

    /// <summary>Gets or sets how many of these were looked for in the store, and not found or refused.</summary>
    public int MissingTokens { get; set; }

    /// <summary>Gets or sets what was decided, expected and measured.</summary>
    public string Reason { get; set; } = "";

    /// <summary>Gets or sets the engine's time for the computed pages.</summary>
    public TimeSpan PrefillTime { get; set; }

    /// <summary>Gets the writes under way, one for each page that the store may lack.</summary>
    public List<Task<PageWrite>> Writes { get; } = [];

    /// <summary>Gets what an answer's plan says about it.</summary>
    public string Decision => (ResidentTokens > 0 ? 1 : 0, RestoredTokens > 0 ? 1 : 0, RecomputedTokens > 0 ? 1 : 0) switch
    {
        (1, 0, 0) => "resident",
        (_, 1, 0) => "load",
        (0, 0, 1) => "recompute",
        _ => "mixed",
    };
}

/// <summary>A page that is durable now.</summary>
/// <param name="Hash">The chunk's hash.</param>
/// <param name="Checksum">Its data's checksum.</param>
/// <param name="WrittenBytes">Bytes written; 0 where the store had it.</param>
internal sealed record PageWrite(string Hash, string Checksum, long WrittenBytes);
