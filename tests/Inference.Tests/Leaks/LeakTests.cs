using Granary.Inference.Engine;
using Granary.Inference.Kernels;
using Granary.Inference.Pages;
using Granary.Inference.Shapes;
using Granary.Inference.Tests.Checkpoints;
using Granary.Inference.Tests.Engine;
using Granary.Inference.Tests.HistoryIndependence;
using TorchSharp;

namespace Granary.Inference.Tests.Leaks;

/// <summary>Tensors, native bytes and budget end where they began, and decoding allocates little managed memory.</summary>
[Trait("Invariant", "9")]
public sealed class LeakTests : IAsyncLifetime
{
    // What our own counters do not see is libtorch's, whose arenas grow as they like.
    private const long NativeSlackBytes = 32L << 20;

    private readonly ScratchFolder _scratch = new();
    private readonly DeviceEngine _engine = HistoryModels.NewEngine(threads: 1);
    private readonly KvBudget _budget = ContextRun.NewBudget();

    // float64 runs in libtorch, whose every step makes tensors; the others run in our kernels.
    public static TheoryData<KvDtype> Dtypes => [KvDtype.Float32, KvDtype.BFloat16, KvDtype.Float64];

    private string Folder => _scratch.File("model");

    public ValueTask InitializeAsync()
    {
        // 20 kB of logits a row and 1 KiB of KV a token: 2,000 lost rows or 200 lost contexts are larger than the slack.
        RandomCheckpoint.Create(HistoryModels.Shape(heads: 4, headDim: 16, vocabulary: 5003) with { Window = 4096 }, 1, Folder);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        _scratch.Dispose();
    }

    [Theory, MemberData(nameof(Dtypes))]
    public async Task Generate_2000DecodeSteps_TensorsAndNativeBytesStay(KvDtype dtype) => await StaysFlatAsync(
        dtype,
        async (context, _) => await context.AskAsync([1, 2], ExactnessTests.Options(500)),
        warm: 1,
        rounds: 4);

    [Theory, MemberData(nameof(Dtypes))]
    public async Task Generate_200CancelledAsks_TensorsAndNativeBytesStay(KvDtype dtype) => await StaysFlatAsync(
        dtype,
        async (context, round) =>
        {
            using var source = new CancellationTokenSource();
            var seen = 0;
            var ask = context.AskAsync(
                ContextCase.Ids(1 + (round % 7), round, context.Model.Config.VocabularySize),
                ExactnessTests.Options(3000),
                _ =>
                {
                    if (++seen == 1 + (round % 3))
                    {
                        source.Cancel();
                    }
                },
                cancellationToken: source.Token);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ask);
        },
        warm: 20,
        rounds: 200);

    [Theory, MemberData(nameof(Dtypes))]
    public async Task Evict_200Contexts_TensorsAndNativeBytesStay(KvDtype dtype) => await StaysFlatAsync(
        dtype,
        async (context, round) =>
        {
            using var evicted = await ContextRun.PrefillAsync(context.Model, ContextCase.Ids(300, round, context.Model.Config.VocabularySize));
            Assert.True(evicted.Budget.UsedBytes > 0);
        },
        warm: 20,
        rounds: 200);

    // Counted on the device thread, from one of the ask's tokens to another: neither the test host nor the ask's setting up is in it.
    [Theory]
    [InlineData(3, Choice.Greedy)]
    [InlineData(1500, Choice.Greedy)]
    [InlineData(300, Choice.Sampled)]
    [InlineData(300, Choice.Alternatives)]
    public async Task Generate_ManyTokens_AllocatesBoundedManagedBytesATokenWhateverTheContext(int tokens, Choice choice)
    {
        const int first = 50;
        const int window = 200; // of five, the median: what is allocated once, as a pool's array after a collection, is no token's
        const int last = first + (5 * window) + 1;
        var model = await LoadAsync(KvDtype.Float32);
        using var context = await ContextRun.PrefillAsync(model, ContextCase.Ids(tokens, tokens, model.Config.VocabularySize), _budget);
        var options = ExactnessTests.Options(last);
        options = choice switch
        {
            Choice.Sampled => options with { Temperature = 0.8, TopK = 50, TopP = 0.9, RepetitionPenalty = 1.1, Seed = 7 },
            Choice.Alternatives => options with { TopLogProbabilities = 5 },
            _ => options,
        };
        var (count, marks) = (0, new List<long>(6));
        await context.AskAsync([4], options, _ =>
        {
            if (count++ % window == first)
            {
                marks.Add(GC.GetAllocatedBytesForCurrentThread());
            }
        });

        Assert.Equal(6, marks.Count);
        var bytes = marks.Zip(marks.Skip(1), static (before, after) => (after - before) / window).Order().ElementAt(2);
        TestContext.Current.TestOutputHelper?.WriteLine($"{bytes} managed bytes a decoded token");
        Assert.InRange(bytes, 1, Bound(choice));
    }

    [Fact]
    public async Task Unload_LoadedManyTimes_NothingIsLeft()
    {
        await (await LoadAsync(KvDtype.BFloat16)).UnloadAsync();
        var before = await MeasureAsync();
        for (var round = 0; round < 5; round++)
        {
            var model = await LoadAsync(KvDtype.BFloat16);
            using (var context = await ContextRun.PrefillAsync(model, ContextCase.Ids(300, round, model.Config.VocabularySize)))
            {
                await context.AskAsync([1, 2], ExactnessTests.Options(3));
            }

            await model.UnloadAsync();
        }

        var after = await MeasureAsync();
        Assert.Equal((before.Tensors, before.Live), (after.Tensors, after.Live));
    }

    private Task<LoadedModel> LoadAsync(KvDtype dtype) =>
        _engine.LoadAsync(Folder, "leaks-" + dtype, new ModelLoadOptions(dtype, Fingerprints: new Granary.Inference.Checkpoints.FingerprintCache(Folder)));

    private async Task StaysFlatAsync(KvDtype dtype, Func<ContextRun, int, Task> act, int warm, int rounds)
    {
        var model = await LoadAsync(dtype);
        using var context = await ContextRun.PrefillAsync(model, ContextCase.Ids(300, 1, model.Config.VocabularySize), _budget);
        for (var round = 0; round < warm; round++)
        {
            await act(context, round);
        }

        var before = await MeasureAsync();
        for (var round = 0; round < rounds; round++)
        {
            await act(context, round);
        }

        var after = await MeasureAsync();
        Assert.Equal((before.Tensors, before.Live, before.Used), (after.Tensors, after.Live, after.Used));
        Assert.InRange(after.Resident - before.Resident, long.MinValue, NativeSlackBytes);
    }

    private async Task<(long Tensors, long Live, long Used, long Resident)> MeasureAsync()
    {
        await _engine.QuiesceAsync();
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        return (torch.Tensor.TotalCount, NativeRows.LiveBytes + KvMemory.LiveBytes, _budget.UsedBytes, Environment.WorkingSet - GC.GetGCMemoryInfo().TotalCommittedBytes);
    }

    // What was measured (2026-11-27), whatever the context; 64 less once the JIT has optimized the step.
    private static long Bound(Choice choice) => choice switch
    {
        Choice.Alternatives => 551,
        _ => 471,
    };

    public enum Choice
    {
        Greedy,
        Sampled,
        Alternatives,
    }
}
