using Granary.Inference.Benchmarks;
using Granary.Inference.Errors;
using Granary.Inference.Pages;
using Granary.Inference.Tests.Checkpoints;
using Microsoft.Extensions.Logging.Abstractions;
using TorchSharp;

namespace Granary.Inference.Tests.Benchmarks;

public sealed class EngineBenchmarkTests
{
    private static readonly EngineBenchmarkOptions Options = new()
    {
        Folder = Golden.Model("serial"),
        ModelId = "serial",
        Dtype = KvDtype.Float32,
        Threads = 1,
        Rounds = 2,
        Steps = 2,
        Cases =
        [
            new(BenchmarkWork.Load, 0),
            new(BenchmarkWork.FirstLoad, 0),
            new(BenchmarkWork.Prefill, 300),
            new(BenchmarkWork.OneStep, 300),
            new(BenchmarkWork.Decode, 40, Asks: 3),
            new(BenchmarkWork.Decode, 300, Asks: 3, Shared: true),
        ],
    };

    private readonly List<int> _rounds = [];

    [Fact]
    public async Task RunAsync_MeasuresEveryCaseEveryRound_AndFreesAll()
    {
        var tensors = torch.Tensor.TotalCount;
        var measured = await EngineBenchmark.RunAsync(Options, NullLogger.Instance, _rounds.Add, TestContext.Current.CancellationToken);
        Assert.Equal([0, 1, 2], _rounds);
        Assert.Equal(Options.Cases, measured.Rows.Select(row => row.Case));
        Assert.All(measured.Rows, row => Assert.Equal((2, 2), (row.Seconds.Count, row.FloorSeconds.Count)));
        Assert.Equal((2, 2, 1), (measured.GemmFlopsPerSecond.Count, measured.ReadBytesPerSecond.Count, measured.Threads));
        Assert.All(measured.Rows, row => Assert.All(row.FloorSeconds, floor => Assert.True(floor > 0)));
        Assert.Equal([true, true], measured.SelfTestSeconds.Select(seconds => seconds > 0));
        Assert.Empty(measured.LeftOut);
        Assert.Equal(tensors, torch.Tensor.TotalCount);
    }

    [Fact]
    public async Task RunAsync_CaseAtTheWindow_IsMeasured_AndOneTokenMoreIsLeftOut()
    {
        const int Window = 2048;
        var fits = new BenchmarkCase(BenchmarkWork.Decode, Window - Options.Steps - 1);
        var exceeds = fits with { Tokens = fits.Tokens + 1 };
        var measured = await EngineBenchmark.RunAsync(Options with { Rounds = 1, Cases = [fits, exceeds] }, NullLogger.Instance, _rounds.Add, TestContext.Current.CancellationToken);
        Assert.Equal(fits, Assert.Single(measured.Rows).Case);
        Assert.Equal(exceeds, Assert.Single(measured.LeftOut).Case);
    }

    [Fact]
    public async Task RunAsync_NothingFits_MeasuresTheMachineAlone()
    {
        var options = Options with { Rounds = 1, Cases = [new(BenchmarkWork.Prefill, 4096)] };
        var measured = await EngineBenchmark.RunAsync(options, NullLogger.Instance, _rounds.Add, TestContext.Current.CancellationToken);
        Assert.Empty(measured.Rows);
        Assert.Empty(measured.SelfTestSeconds);
        Assert.Single(measured.ReadBytesPerSecond);
    }

    [Fact]
    public async Task RunAsync_TooLittleMemory_IsRefusedBeforeTheFirstRound()
    {
        var refused = await Assert.ThrowsAsync<InferenceException>(() => EngineBenchmark.RunAsync(
            Options with { MemoryBytes = 300_000_000 }, NullLogger.Instance, _rounds.Add, TestContext.Current.CancellationToken));
        Assert.Equal("RequestTooLarge", refused.Code);
        Assert.Contains("0.3 GB are free", refused.Message, StringComparison.Ordinal);
        Assert.Empty(_rounds);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task RunAsync_CancelledInARound_EndsAndFreesAll(int round)
    {
        var tensors = torch.Tensor.TotalCount;
        using var cancelling = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => EngineBenchmark.RunAsync(
            Options with { Rounds = 1000 },
            NullLogger.Instance,
            started =>
            {
                _rounds.Add(started);
                if (started == round)
                {
                    cancelling.Cancel();
                }
            },
            cancelling.Token));
        Assert.Equal(round, _rounds[^1]);
        Assert.Equal(tensors, torch.Tensor.TotalCount);
    }

    [Theory]
    [InlineData(0, 1, 5, 1)]
    [InlineData(1, 0, 5, 1)]
    [InlineData(1, 1, 0, 1)]
    [InlineData(1, 1, 5, 0)]
    public Task RunAsync_SizesBelowOne_Throw(int rounds, int steps, int tokens, int asks) => Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => EngineBenchmark.RunAsync(
        Options with { Rounds = rounds, Steps = steps, Cases = [new(BenchmarkWork.Decode, tokens, asks)] }, NullLogger.Instance, _rounds.Add, TestContext.Current.CancellationToken));
}
