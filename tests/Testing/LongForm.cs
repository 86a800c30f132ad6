namespace Granary.Testing;

/// <summary>Whether the long form of the tests was asked for: <c>./dev soak</c> sets <c>GRANARY_SOAK=1</c>.</summary>
public static class LongForm
{
    public static bool Wanted { get; } = Environment.GetEnvironmentVariable("GRANARY_SOAK") == "1";
}
