using Granary.Inference.Benchmarks;
using Granary.Inference.Errors;
using Granary.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Granary.Inference.Tests.Benchmarks;

[Collection("Engine")]
public sealed class CodecBenchmarkTests
{
    [Fact]
    public async Task RunAsync_TooLittleMemory_IsRefused()
    {
        var options = new CodecBenchmarkOptions
        {
            Folder = Repository.GetPath("models/ledger-4m"),
            ModelId = "ledger-4m",
            Threads = 1,
            Contexts = [new PromptedContext("The mill of Wesby grinds corn.", ["Where?"])],
            MemoryBytes = 1_000,
        };

        var refused = await Assert.ThrowsAsync<InferenceException>(() => CodecBenchmark.RunAsync(options, NullLogger.Instance, static _ => { }, TestContext.Current.CancellationToken));

        Assert.Equal("RequestTooLarge", refused.Code);
        Assert.Contains("A context of", refused.Message, StringComparison.Ordinal);
    }
}
