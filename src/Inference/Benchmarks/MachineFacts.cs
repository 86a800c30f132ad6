namespace Granary.Inference.Benchmarks;

/// <summary>What a reader of times must know of the machine that they were taken on.</summary>
public static class MachineFacts
{
    private const string Unknown = "unknown";

    /// <summary>Gets the processor's name as the kernel states it; <c>unknown</c> where it does not.</summary>
    public static string Cpu { get; } = File.Exists("/proc/cpuinfo")
        ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(static line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(": ")[^1] ?? Unknown
        : Unknown;

    /// <summary>Reads the machine's load over the last minute. Before a run it should be near 0; a run alone brings it near its threads.</summary>
    /// <returns>The load as the kernel writes it, such as <c>0.12</c>; <c>unknown</c> where it does not.</returns>
    public static string Load() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : Unknown;
}
