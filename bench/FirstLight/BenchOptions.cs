using Granary.Inference.Pages;

namespace Granary.Bench.FirstLight;

/// <summary>What is measured, and where.</summary>
internal sealed record BenchOptions
{
    /// <summary>Gets the checkpoint's folder; <see langword="null"/> for a random one.</summary>
    public required string? ModelFolder { get; init; }

    public required KvDtype Dtype { get; init; }

    /// <summary>Gets where the random checkpoint is kept and chunks are written.</summary>
    public required string Folder { get; init; }

    public required int Threads { get; init; }

    public required int Rounds { get; init; }
}
