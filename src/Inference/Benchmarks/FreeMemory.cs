using Granary.Inference.Errors;

namespace Granary.Inference.Benchmarks;

/// <summary>Refuses runs that cannot end, before they allocate anything.</summary>
internal static class FreeMemory
{
    /// <summary>Checks that there is so much.</summary>
    /// <param name="bytes">What is needed beside the models that are loaded.</param>
    /// <param name="given">How much there is; <see langword="null"/> for what the process may still use.</param>
    /// <param name="what">What needs it, for the message.</param>
    /// <param name="remedy">What to do.</param>
    /// <exception cref="InferenceException"><c>RequestTooLarge</c>: there is less.</exception>
    public static void Require(double bytes, long? given, string what, string remedy)
    {
        var free = given ?? Math.Max(0, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes - Environment.WorkingSet);
        if (bytes > free)
        {
            throw new InferenceException("RequestTooLarge", FormattableString.Invariant($"{what} {bytes / 1e9:F1} GB beside the model, {free / 1e9:F1} GB are free."), remedy);
        }
    }
}
