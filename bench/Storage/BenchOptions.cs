using Granary.Inference.Pages;

namespace Granary.Bench.Storage;

/// <summary>What is measured, and where.</summary>
internal sealed record BenchOptions
{
    /// <summary>Gets the shape whose KV is written and read.</summary>
    public required string Shape { get; init; }

    /// <summary>Gets how that shape's KV lies.</summary>
    public required KvLayout Layout { get; init; }

    /// <summary>Gets where chunks are written.</summary>
    public required string Folder { get; init; }

    public required int Rounds { get; init; }
}
