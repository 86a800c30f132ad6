namespace Granary.Bench.Common;

/// <summary>The benchmark cannot go on; the message says why and what to do.</summary>
internal sealed class BenchException(string message, Exception? cause = null) : Exception(message, cause);
