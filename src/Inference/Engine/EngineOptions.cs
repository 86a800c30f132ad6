namespace Granary.Inference.Engine;

/// <summary>How an engine uses its machine.</summary>
public sealed class EngineOptions
{
    /// <summary>Gets or sets the threads that a step is computed with, the device thread among them, by the kernels and by libtorch. They change no bit of a result.</summary>
    /// <value>At least 1. Default: <see langword="null"/>, the logical processors that the process may use (<see cref="Environment.ProcessorCount"/>, which heeds affinity and a container's limit), less one for the grains where these are more than two.</value>
    public int? Threads { get; set; }

    /// <summary>Gets or sets how many requests may wait or run; one more is refused.</summary>
    /// <value>At least 1. Default: 1024.</value>
    public int QueueCapacity { get; set; } = 1024;

    internal int EffectiveThreads => Threads ?? (Environment.ProcessorCount > 2 ? Environment.ProcessorCount - 1 : Environment.ProcessorCount);
}
