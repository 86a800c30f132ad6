namespace Granary.Bench.Common;

/// <summary>Whether a target is met.</summary>
internal static class Verdict
{
    /// <summary>Gets <c>yes</c>, <c>no</c>, or by which of the two ratios alone; empty without a target.</summary>
    public static string Of(double? target, double ratioOfMinima, double ratioOfMedians) => target is not { } most ? "" : (ratioOfMinima <= most, ratioOfMedians <= most) switch
    {
        (true, true) => "yes",
        (true, false) => "by minima",
        (false, true) => "by medians",
        _ => "no",
    };
}
