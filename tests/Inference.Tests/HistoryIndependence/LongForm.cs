namespace Granary.Inference.Tests.HistoryIndependence;

/// <summary>Whether the long form of the tests was asked for: <c>./dev soak</c> sets <c>GRANARY_SOAK=1</c>.</summary>
internal static class LongForm
{
    public static bool Wanted { get; } = Environment.GetEnvironmentVariable("GRANARY_SOAK") == "1";
}
