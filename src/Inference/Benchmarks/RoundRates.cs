namespace Granary.Inference.Benchmarks;

/// <summary>What the machine could do in one round.</summary>
/// <param name="GemmFlopsPerSecond">Floating-point operations a second of libtorch's product.</param>
/// <param name="ReadBytesPerSecond">Bytes a second of plain reads of memory.</param>
/// <param name="FileReadSeconds">Seconds of a plain read of the weight files; 0 where nothing is loaded.</param>
internal readonly record struct RoundRates(double GemmFlopsPerSecond, double ReadBytesPerSecond, double FileReadSeconds);
