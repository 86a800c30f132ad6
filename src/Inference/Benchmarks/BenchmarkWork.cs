namespace Granary.Inference.Benchmarks;

/// <summary>What a row of a benchmark does.</summary>
public enum BenchmarkWork
{
    /// <summary>A context's prefill, page by page, as its creation does: KV and nothing else.</summary>
    Prefill,

    /// <summary>The same tokens in one step: what design section 3 forbids, to see what its pages cost.</summary>
    OneStep,

    /// <summary>One decode step of some asks at once.</summary>
    Decode,

    /// <summary>The checkpoint is loaded once more, its fingerprint and self-test's verdict known from an earlier load.</summary>
    Load,

    /// <summary>The checkpoint is loaded as by a machine that never saw it: the fingerprint is computed. The self-test runs, too, and is told apart.</summary>
    FirstLoad,
}
