using Granary.Storage.Manifests;

namespace Granary.Grains.Contexts;

/// <summary>A context that is to be: a request's, tokenized and checked, or the copy of another context.</summary>
internal sealed record Creation
{
    /// <summary>Gets the token ids.</summary>
    public required int[] Ids { get; init; }

    /// <summary>Gets how many leading ids were cut off.</summary>
    public int Truncated { get; init; }

    /// <summary>Gets how long the context lives; <see langword="null"/> until it is deleted.</summary>
    public TimeSpan? TimeToLive { get; init; }

    /// <summary>Gets whether a hit starts that time anew.</summary>
    public bool RefreshOnHit { get; init; }

    /// <summary>Gets the labels.</summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>Gets whether the computation yields to interactive work.</summary>
    public bool Batch { get; init; }

    /// <summary>Gets the id under which it counts once.</summary>
    public required string OperationId { get; init; }

    /// <summary>Gets whose salt the chain starts with, and under whose prefix the chunks lie.</summary>
    public required string ChunkTenant { get; init; }

    /// <summary>Gets the context that it is forked from; <see langword="null"/> where it is not.</summary>
    public ContextManifest? Parent { get; init; }
}
