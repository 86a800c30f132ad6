using System.Reflection;
using Granary.DocumentQuestions.Hosting;
using Granary.Errors;

namespace Granary.Samples.Tests.DocumentQuestions;

public sealed class GranaryProblemsTests
{
    // What no request can mend and no wait: all other codes have a status of their own.
    private static readonly string[] Failures =
    [
        ErrorCodes.Cancelled, ErrorCodes.CheckpointInvalid, ErrorCodes.DatasetInvalid, ErrorCodes.Internal, ErrorCodes.ManifestInvalid, ErrorCodes.NonFiniteLogits, ErrorCodes.TokenizerInvalid,
    ];

    [Fact]
    public void StatusOf_EveryCode_IsDecided()
    {
        var codes = typeof(ErrorCodes).GetFields(BindingFlags.Public | BindingFlags.Static).Select(field => (string?)field.GetRawConstantValue() ?? "");

        Assert.Equal(Failures.Order(StringComparer.Ordinal), codes.Where(code => GranaryProblems.StatusOf(code) == 500).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(ErrorCodes.InvalidArgument, 400)]
    [InlineData(ErrorCodes.ContextNotFound, 404)]
    [InlineData(ErrorCodes.ContextConflict, 409)]
    [InlineData(ErrorCodes.RequestTooLarge, 413)]
    [InlineData(ErrorCodes.ContextWindowExceeded, 422)]
    [InlineData(ErrorCodes.QueueFull, 429)]
    [InlineData(ErrorCodes.Unavailable, 503)]
    [InlineData(ErrorCodes.NoWorker, 503)]
    [InlineData(ErrorCodes.StoreFull, 507)]
    public void StatusOf_Code_SaysWhoseTurnItIs(string code, int status) => Assert.Equal(status, GranaryProblems.StatusOf(code));
}
