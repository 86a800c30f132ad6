namespace Granary.Bench.Ask;

/// <summary>What is measured.</summary>
internal sealed record BenchOptions
{
    /// <summary>Gets the checkpoint.</summary>
    public required string Model { get; init; }

    /// <summary>Gets the works: <c>scale</c>, <c>token</c>, <c>paced</c>, <c>silos</c>.</summary>
    public required IReadOnlyList<string> Works { get; init; }

    /// <summary>Gets the rounds that are timed.</summary>
    public required int Rounds { get; init; }

    /// <summary>Gets the threads of an engine; of the works with two silos, those of the one silo.</summary>
    public required int Threads { get; init; }

    /// <summary>Gets the tokens of an answer that is streamed at full speed.</summary>
    public required int Tokens { get; init; }

    /// <summary>Gets the contexts that the store knows.</summary>
    public required int Contexts { get; init; }

    /// <summary>Gets how many of them are resident.</summary>
    public required int Resident { get; init; }

    /// <summary>Gets how many more are activated and idle.</summary>
    public required int Activations { get; init; }

    /// <summary>Gets the store of the work <c>scale</c>: a folder that is made, and deleted afterwards.</summary>
    /// <value><see langword="null"/> for memory.</value>
    public required string? Folder { get; init; }

    /// <summary>Gets the time between two paced tokens.</summary>
    public required TimeSpan Pace { get; init; }

    /// <summary>Gets the asks at once of the work <c>silos</c>, each over a context of its own.</summary>
    public required int Asks { get; init; }
}
