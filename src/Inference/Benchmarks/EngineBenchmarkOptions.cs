using Granary.Inference.Pages;

namespace Granary.Inference.Benchmarks;

/// <summary>What is measured, and how often.</summary>
public sealed record EngineBenchmarkOptions
{
    /// <summary>Gets the checkpoint's folder.</summary>
    public required string Folder { get; init; }

    /// <summary>Gets what the model is called.</summary>
    public required string ModelId { get; init; }

    /// <summary>Gets what is computed in.</summary>
    public required KvDtype Dtype { get; init; }

    /// <summary>Gets the threads that compute.</summary>
    /// <value>At least 1. Default: <see langword="null"/>, the engine's choice.</value>
    public int? Threads { get; init; }

    /// <summary>Gets the rounds that are timed, after one that is not.</summary>
    /// <value>At least 1. Default: 5.</value>
    public int Rounds { get; init; } = 5;

    /// <summary>Gets the successive decode steps that one timing runs, to divide by.</summary>
    /// <value>At least 1. Default: 32. Asks that share their steps arrive one by one, which costs a step or less.</value>
    public int Steps { get; init; } = 32;

    /// <summary>Gets the rows, in the order in which each round measures them.</summary>
    public required IReadOnlyList<BenchmarkCase> Cases { get; init; }

    /// <summary>Gets the bytes that the run may use.</summary>
    /// <value>Default: <see langword="null"/>, what the process may use and does not yet.</value>
    public long? MemoryBytes { get; init; }
}
