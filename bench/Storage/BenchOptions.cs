using Granary.Inference.Checkpoints;
using Granary.Inference.Pages;

namespace Granary.Bench.Storage;

/// <summary>What is measured, and where.</summary>
internal sealed record BenchOptions
{
    /// <summary>Gets the name of the shape whose KV is written and read.</summary>
    public required string Shape { get; init; }

    public required ModelConfig Config { get; init; }

    public required IReadOnlyList<KvDtype> Dtypes { get; init; }

    /// <summary>Gets where chunks are written, and where checkpoints and the peer are kept.</summary>
    public required string Folder { get; init; }

    /// <summary>Gets the folder with the peer and the tokenizer; it may not exist.</summary>
    public required string Shared { get; init; }

    public required bool WithPeer { get; init; }

    /// <summary>Gets Azurite's <c>azurite-blob</c>; it may not exist.</summary>
    public required string Azurite { get; init; }

    public required int Rounds { get; init; }
}
