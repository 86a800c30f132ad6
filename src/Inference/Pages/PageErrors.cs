using Granary.Inference.Errors;

namespace Granary.Inference.Pages;

/// <summary>What a caller can get wrong about KV memory. Codes are those of <c>Granary.Errors.ErrorCodes</c>.</summary>
internal static class PageErrors
{
    public static InferenceException BudgetExceeded(long bytes, long limit, long kept = 0) => new(
        "KvBudgetExceeded",
        $"The request needs {bytes} bytes of KV, the budget is {limit} bytes{(kept > 0 ? $", of which pinned contexts keep {kept}" : "")}.",
        "Evict or unpin a context, ask for fewer new tokens, or raise Granary:Residency:BudgetBytes.");
}
