using Granary.Inference.Pages;

namespace Granary.Bench.Plan.Create;

/// <summary>What is measured.</summary>
internal sealed record CreateOptions
{
    /// <summary>Gets the checkpoint.</summary>
    public required string Model { get; init; }

    public required IReadOnlyList<KvDtype> Dtypes { get; init; }

    /// <summary>Gets the folder in which the store is made, and deleted afterwards.</summary>
    public required string Folder { get; init; }

    /// <summary>Gets the tokens of a context.</summary>
    public required int Tokens { get; init; }

    /// <summary>Gets the rounds that are timed.</summary>
    public required int Rounds { get; init; }

    /// <summary>Gets the engine's threads.</summary>
    public required int Threads { get; init; }
}
