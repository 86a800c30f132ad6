namespace Granary.Bench.Engine;

/// <summary>Ours against something else, with what was aimed at.</summary>
/// <param name="Work">What was done.</param>
/// <param name="Ours">Seconds of ours.</param>
/// <param name="Against">What it is compared with.</param>
/// <param name="Theirs">Seconds of that.</param>
/// <param name="Target">The ratio that was aimed at; <see langword="null"/> for none.</param>
internal sealed record Comparison(string Work, RoundSample Ours, string Against, RoundSample Theirs, double? Target)
{
    public double RatioOfMinima => Ours.Least / Theirs.Least;

    public double RatioOfMedians => Ours.Middle / Theirs.Middle;

    /// <summary>Gets whether the target is met: <c>yes</c>, <c>no</c>, or by which of the two ratios alone; empty without a target.</summary>
    public string Met => Target is not { } target ? "" : (RatioOfMinima <= target, RatioOfMedians <= target) switch
    {
        (true, true) => "yes",
        (true, false) => "by minima",
        (false, true) => "by medians",
        _ => "no",
    };
}
