using Granary.Bench.Common;

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

    /// <summary>Gets whether the target is met, as <see cref="Verdict"/> says it.</summary>
    public string Met => Verdict.Of(Target, RatioOfMinima, RatioOfMedians);
}
