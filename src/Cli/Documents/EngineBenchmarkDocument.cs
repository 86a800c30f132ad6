namespace Granary.Cli.Documents;

/// <summary>The result of <c>bench engine</c>: every sample in seconds.</summary>
internal sealed record EngineBenchmarkDocument
{
    public required DateTimeOffset Started { get; init; }

    public required MachineDocument Machine { get; init; }

    public required string Model { get; init; }

    public required string Dtype { get; init; }

    public required int Threads { get; init; }

    /// <summary>Gets the timed rounds: the samples of each row and rate.</summary>
    public required int Rounds { get; init; }

    /// <summary>Gets the decode steps of which a sample is the mean.</summary>
    public required int Steps { get; init; }

    public required string Numerics { get; init; }

    public required bool Exact { get; init; }

    public required IReadOnlyList<double> ReadBytesPerSecond { get; init; }

    public required IReadOnlyList<double> GemmFlopsPerSecond { get; init; }

    /// <summary>Gets the seconds of the first loads' self-tests, which their times leave out.</summary>
    public required IReadOnlyList<double> SelfTestSeconds { get; init; }

    public required IReadOnlyList<BenchmarkRowDocument> Rows { get; init; }

    public required IReadOnlyList<LeftOutDocument> LeftOut { get; init; }
}

/// <summary>The machine that times were taken on; the loads are the kernel's, over one minute.</summary>
internal sealed record MachineDocument(string Cpu, int Processors, string LoadBefore, string LoadAfter);

/// <summary>A row of <c>bench engine</c>.</summary>
/// <param name="Work"><c>load</c>, <c>first-load</c>, <c>prefill</c>, <c>one-step</c> or <c>decode</c>.</param>
/// <param name="Tokens">Tokens that are prefilled, or that each context has; 0 for a load.</param>
/// <param name="Asks">Asks that decode together.</param>
/// <param name="Shared">Whether they are over one context.</param>
/// <param name="Seconds">Ours, one for each round.</param>
/// <param name="FloorSeconds">The floor's.</param>
/// <param name="Floor">What the floor is.</param>
/// <param name="Ratio">Ours over the floor.</param>
internal sealed record BenchmarkRowDocument(
    string Work,
    int Tokens,
    int Asks,
    bool Shared,
    IReadOnlyList<double> Seconds,
    IReadOnlyList<double> FloorSeconds,
    string Floor,
    BenchmarkRatioDocument Ratio);

/// <summary>A ratio, minimum by minimum and median by median.</summary>
internal sealed record BenchmarkRatioDocument(double Minima, double Medians);

/// <summary>A row that was asked for and not measured.</summary>
internal sealed record LeftOutDocument(string Work, int Tokens, int Asks, bool Shared, string Reason);
