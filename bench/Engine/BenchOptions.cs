namespace Granary.Bench.Engine;

/// <summary>What is measured, with what, and where.</summary>
internal sealed record BenchOptions
{
    /// <summary>Gets the granary command that is measured.</summary>
    public required string Granary { get; init; }

    /// <summary>Gets the folder with the peer and the tokenizer; it may not exist.</summary>
    public required string Shared { get; init; }

    /// <summary>Gets where checkpoints and the peer are kept.</summary>
    public required string Folder { get; init; }

    public required IReadOnlyList<string> Shapes { get; init; }

    public required IReadOnlyList<string> Dtypes { get; init; }

    public required IReadOnlyList<WorkUnit> Units { get; init; }

    public required int Threads { get; init; }

    public required int Rounds { get; init; }

    /// <summary>Gets how often an engine repeats a piece of work in one round, after once untimed.</summary>
    public required int Repeats { get; init; }

    public required bool WithPeer { get; init; }
}
