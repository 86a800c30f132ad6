using Granary.Inference.Engine;

namespace Granary.Inference.Benchmarks;

/// <summary>What a run measured.</summary>
public sealed record EngineMeasurement
{
    /// <summary>Gets the threads that computed.</summary>
    public required int Threads { get; init; }

    /// <summary>Gets what the model's bits depend on, and whether its self-test passed.</summary>
    public required NumericsId Numerics { get; init; }

    /// <summary>Gets the floating-point operations a second of libtorch's product of two 2048 × 2048 matrices in the model's dtype, one for each round.</summary>
    public required IReadOnlyList<double> GemmFlopsPerSecond { get; init; }

    /// <summary>Gets the bytes a second of libtorch's sum over 256 MiB, one for each round.</summary>
    public required IReadOnlyList<double> ReadBytesPerSecond { get; init; }

    /// <summary>Gets the seconds of the self-test of each first load, one for each round; empty where there was none.</summary>
    public required IReadOnlyList<double> SelfTestSeconds { get; init; }

    /// <summary>Gets the rows, in the order of the cases.</summary>
    public required IReadOnlyList<BenchmarkRow> Rows { get; init; }

    /// <summary>Gets the cases that this model has no room for, or no use.</summary>
    public required IReadOnlyList<LeftOutCase> LeftOut { get; init; }
}

/// <summary>A case that was not measured.</summary>
/// <param name="Case">The case.</param>
/// <param name="Reason">Why, for people.</param>
public sealed record LeftOutCase(BenchmarkCase Case, string Reason);
