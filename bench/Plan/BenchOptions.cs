namespace Granary.Bench.Plan;

/// <summary>What is measured.</summary>
internal sealed record BenchOptions
{
    /// <summary>Gets the checkpoint.</summary>
    public required string Model { get; init; }

    /// <summary>Gets what is computed in.</summary>
    public required string Dtype { get; init; }

    /// <summary>Gets the store: a folder, or an Azure connection string.</summary>
    public required string Store { get; init; }

    /// <summary>Gets what each call of the store waits.</summary>
    public required TimeSpan Delay { get; init; }

    /// <summary>Gets what the store gives in a second, whoever reads.</summary>
    /// <value>Bytes; <see langword="null"/> for what it can.</value>
    public required double? BytesPerSecond { get; init; }

    /// <summary>Gets the contexts' lengths.</summary>
    public required IReadOnlyList<int> Tokens { get; init; }

    /// <summary>Gets the rounds that are timed.</summary>
    public required int Rounds { get; init; }

    /// <summary>Gets the engine's threads.</summary>
    public required int Threads { get; init; }
}
