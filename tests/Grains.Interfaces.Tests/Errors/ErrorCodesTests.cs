using System.Reflection;
using Granary.Errors;

namespace Granary.Grains.Interfaces.Tests.Errors;

public sealed class ErrorCodesTests
{
    // DESIGN §8: 1 failed, 2 wrong usage, 3 not found, 4 refused, 5 conflict, 130 cancelled.
    private static readonly Dictionary<string, int> ExitCodes = new()
    {
        ["Cancelled"] = 130,
        ["CheckpointInvalid"] = 1,
        ["ContextConflict"] = 5,
        ["ContextNotFound"] = 3,
        ["ContextWindowExceeded"] = 4,
        ["DatasetInvalid"] = 1,
        ["DatasetNotFound"] = 3,
        ["EmptyInput"] = 2,
        ["FileNotFound"] = 3,
        ["Internal"] = 1,
        ["InvalidArgument"] = 2,
        ["InvalidName"] = 2,
        ["KvBudgetExceeded"] = 4,
        ["ManifestInvalid"] = 1,
        ["ModelNotFound"] = 3,
        ["ModelSpecConflict"] = 5,
        ["NonFiniteLogits"] = 1,
        ["NoWorker"] = 4,
        ["RequestTooLarge"] = 4,
        ["QueueFull"] = 4,
        ["SiloNotFound"] = 3,
        ["StoreFull"] = 1,
        ["StoreReadOnly"] = 1,
        ["StoreUnavailable"] = 1,
        ["TokenOutOfVocabulary"] = 2,
        ["TokenizerInvalid"] = 1,
        ["TokenizerMissing"] = 4,
        ["Unavailable"] = 1,
    };

    [Fact]
    public void ExitCodeOf_EveryCode_IsTheDesigns()
    {
        var codes = typeof(ErrorCodes).GetFields(BindingFlags.Public | BindingFlags.Static).Select(static field => (string)field.GetRawConstantValue()!).ToArray();
        Assert.Equal(ExitCodes.Keys.Order(), codes.Order());
        Assert.All(codes, static code => Assert.Equal(ExitCodes[code], ErrorCodes.ExitCodeOf(code)));
    }
}
