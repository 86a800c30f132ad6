using Granary.Inference.Errors;

namespace Granary.Inference.Pages;

/// <summary>What a caller can get wrong about KV memory. Codes are those of <c>Granary.Errors.ErrorCodes</c>.</summary>
internal static class PageErrors
{
    public static InferenceException BudgetExceeded(long bytes, long limit) => new(
        "KvBudgetExceeded",
        $"The request needs {bytes} bytes of KV, the budget is {limit} bytes.",
        "Evict or unpin a context, ask for fewer new tokens, or raise Granary:Residency:BudgetBytes.");
}
