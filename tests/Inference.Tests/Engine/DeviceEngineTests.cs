using System.Diagnostics;
using Granary.Inference.Checkpoints;
using Granary.Inference.Engine;
using Granary.Inference.Errors;
using Granary.Inference.Generation;
using Microsoft.Extensions.Logging.Abstractions;
using TorchSharp;

namespace Granary.Inference.Tests.Engine;

public sealed class DeviceEngineTests(EngineFixture engine)
{
    private const string Model = "quarter-rotary";

    [Fact, Trait("Invariant", "7")]
    public async Task Generate_ManyAsks_LeavesNoTensorAndNoByte()
    {
        await using var own = NewEngine();
        var model = await LoadAsync(own);
        var budget = ContextRun.NewBudget();
        await OnceAsync();
        await own.QuiesceAsync();
        var before = torch.Tensor.TotalCount;
        for (var ask = 0; ask < 5; ask++)
        {
            await OnceAsync();
        }

        await own.QuiesceAsync();
        Assert.Equal(before, torch.Tensor.TotalCount);
        Assert.Equal(0, budget.UsedBytes);

        async Task OnceAsync()
        {
            using var context = await ContextRun.PrefillAsync(model, ExactnessTests.Ids(300, 1), budget);
            await context.AskAsync(ExactnessTests.Ids(5, 2), ExactnessTests.Options(5));
            await context.ScoreAsync([1, 2, 3]);
            await model.ForwardAsync(new ForwardRequest { TokenIds = [1, 2, 3], Split = 2, LeftPad = 3 }, default);
        }
    }

    [Fact, Trait("Invariant", "7")]
    public async Task Generate_CancelledInAStep_NoStepFollowsAndItsBytesComeBack()
    {
        var model = await engine.GoldenModelAsync(Model);
        using var context = await ContextRun.PrefillAsync(model, ExactnessTests.Ids(300, 3));
        using var source = new CancellationTokenSource();
        var seen = 0;
        var ask = context.AskAsync([1], ExactnessTests.Options(1000), _ => CancelAt(++seen), cancellationToken: source.Token);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ask);
        Assert.Equal(3, seen); // the cancellation is read before the next step
        Assert.Equal(context.Pages.Sum(page => page.Bytes), context.Budget.UsedBytes);
        await engine.Engine.QuiesceAsync();
        Assert.Equal(0, engine.Engine.QueueDepth);

        void CancelAt(int token)
        {
            if (token == 3)
            {
                source.Cancel();
            }
        }
    }

    [Fact, Trait("Invariant", "7")]
    public async Task Generate_CancelledWhileItWaits_GivesItsPlaceAndBytesBackAndNeverRuns()
    {
        await using var own = NewEngine(capacity: 2);
        var model = await LoadAsync(own);
        using var context = await ContextRun.PrefillAsync(model, [1, 2, 3]);
        using var release = new ManualResetEventSlim();
        using var source = new CancellationTokenSource();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var seen = 0;
        var running = context.AskAsync([4], ExactnessTests.Options(2), _ =>
        {
            started.TrySetResult();
            release.Wait(TimeSpan.FromSeconds(30));
        });
        await started.Task;
        var waiting = context.AskAsync([5], ExactnessTests.Options(2), _ => seen++, cancellationToken: source.Token);
        Assert.Equal(2, own.QueueDepth);

        await source.CancelAsync();
        release.Set();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await running;
        Assert.Equal((0, 0), (seen, own.QueueDepth));
        Assert.Equal(context.Pages.Sum(page => page.Bytes), context.Budget.UsedBytes);
    }

    [Fact]
    public async Task Generate_OnAllProcessors_LeavesThemToTheFirstTokenOfAStreamOnly()
    {
        await using var own = NewEngine(threads: Environment.ProcessorCount);
        var model = await LoadAsync(own);
        using var context = await ContextRun.PrefillAsync(model, [1, 2, 3]);
        var left = TimeSpan.FromMilliseconds(0.9); // a millisecond, by the kernel's coarser clock

        var streamed = await GapsAsync(streamed: true);
        var whole = await GapsAsync(streamed: false);

        Assert.True(streamed.Min(static gaps => gaps[0]) >= left);
        Assert.True(streamed.Min(static gaps => gaps[1]) < left);
        Assert.True(whole.Min(static gaps => gaps[0]) < left);

        // From one token to the next, of twenty asks.
        async Task<List<TimeSpan[]>> GapsAsync(bool streamed)
        {
            var all = new List<TimeSpan[]>();
            for (var ask = 0; ask < 20; ask++)
            {
                var times = new List<long>();
                await context.AskAsync([4], ExactnessTests.Options(3), _ => times.Add(Stopwatch.GetTimestamp()), streamed: streamed);
                all.Add([.. times.Zip(times.Skip(1), Stopwatch.GetElapsedTime)]);
            }

            return all;
        }
    }

    [Fact, Trait("Invariant", "7")]
    public async Task Generate_CallbackThrows_FailsAloneAndTheThreadGoesOn()
    {
        await using var own = NewEngine();
        var model = await LoadAsync(own);
        using var context = await ContextRun.PrefillAsync(model, [1, 2, 3]);

        await Assert.ThrowsAsync<InvalidOperationException>(() => context.AskAsync([4], ExactnessTests.Options(3), _ => throw new InvalidOperationException("mine")));
        Assert.Equal(3, (await context.AskAsync([4], ExactnessTests.Options(3))).TokenIds.Length);
        Assert.Equal(0, own.QueueDepth);
    }

    [Fact, Trait("Invariant", "7")]
    public async Task Generate_QueueIsFull_RefusesAtOnce()
    {
        await using var own = NewEngine(capacity: 1);
        var model = await LoadAsync(own);
        using var context = await ContextRun.PrefillAsync(model, [1, 2, 3]);
        using var release = new ManualResetEventSlim();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var running = context.AskAsync([4], ExactnessTests.Options(2), _ =>
        {
            started.TrySetResult();
            release.Wait(TimeSpan.FromSeconds(30));
        });
        await started.Task;

        var refused = await Assert.ThrowsAsync<InferenceException>(() => context.AskAsync([5], ExactnessTests.Options(2)));
        release.Set();
        await running;
        Assert.Equal("QueueFull", refused.Code);
    }

    [Fact, Trait("Invariant", "7")]
    public async Task Dispose_WorkPending_CancelsItAndRefusesMore()
    {
        var own = NewEngine();
        var model = await LoadAsync(own);
        using var context = await ContextRun.PrefillAsync(model, [1, 2, 3]);
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var running = context.AskAsync([4], ExactnessTests.Options(2000), _ => started.TrySetResult());
        await started.Task;
        await own.DisposeAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        var refused = await Assert.ThrowsAsync<InferenceException>(() => context.AskAsync([4], ExactnessTests.Options(2)));
        Assert.Equal("Unavailable", refused.Code);
    }

    [Fact, Trait("Invariant", "7")]
    public async Task Ask_BatchAskDecodes_InteractiveAskTakesTurns()
    {
        var model = await engine.GoldenModelAsync(Model);
        using var context = await ContextRun.PrefillAsync(model, [1, 2, 3]);
        var order = await OrderAsync(
            onToken => context.AskAsync([4], ExactnessTests.Options(200), onToken, batch: true),
            onToken => context.AskAsync([5], ExactnessTests.Options(40), onToken));

        var last = order.LastIndexOf('i');
        Assert.InRange(order.Take(last).Count(step => step == 'b'), 1, 199); // batch neither blocks nor starves
    }

    [Fact, Trait("Invariant", "7")]
    public async Task Ask_LongPromptIsPrefilled_InteractiveAskTakesATurnWithEachPage()
    {
        var model = await engine.GoldenModelAsync(Model);
        var pages = model.Config.Window / model.Layout.PageSize;
        using var context = await ContextRun.PrefillAsync(model, [1, 2, 3]);
        var prompt = Enumerable.Range(0, (pages - 1) * model.Layout.PageSize).Select(index => 1 + (index % (model.Config.VocabularySize - 1))).ToArray(); // from token 3 on: as many pages, in part
        var order = await OrderAsync(
            onToken => context.AskAsync(prompt, ExactnessTests.Options(1), onToken, batch: true),
            onToken => context.AskAsync([5], ExactnessTests.Options(4 * pages), onToken));

        Assert.InRange(order.TakeWhile(step => step == 'i').Count(), pages - 1, 4 * pages);
    }

    // Who got a token when: batch or interactive. Both asks wait in the queue before either runs.
    private async Task<List<char>> OrderAsync(Func<Action<GeneratedToken>, Task> batch, Func<Action<GeneratedToken>, Task> interactive)
    {
        var order = new List<char>(); // written on the device thread only
        using var bothQueued = new ManualResetEventSlim();
        var held = engine.Engine.RunAsync(new SingleStep<bool>(() => bothQueued.Wait(TimeSpan.FromMinutes(1)), batch: false, CancellationToken.None));
        Task[] asks = [batch(_ => order.Add('b')), interactive(_ => order.Add('i'))];
        bothQueued.Set();
        Assert.True(await held);
        await Task.WhenAll(asks);
        return order;
    }

    [Fact]
    public async Task S9_WeightsGiveNaN_FailsNamingThePosition()
    {
        var folder = Directory.CreateTempSubdirectory("granary-nan-").FullName;
        try
        {
            Poison(folder);
            await using var own = NewEngine();
            var model = await own.LoadAsync(folder, "nan", new ModelLoadOptions(Fingerprints: new FingerprintCache(folder)));
            using var context = await ContextRun.PrefillAsync(model, [1, 2, 3]);

            var failed = await Assert.ThrowsAsync<InferenceException>(() => context.AskAsync([4, 5], ExactnessTests.Options(2)));
            Assert.Equal("NonFiniteLogits", failed.Code);
            Assert.Contains("position 4", failed.Message, StringComparison.Ordinal);
            var score = await Assert.ThrowsAsync<InferenceException>(() => context.ScoreAsync([1]));
            Assert.Contains("position 2", score.Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Score_ManyContinuations_HaveTheBitsOfEachAlone()
    {
        var model = await engine.GoldenModelAsync(Model);
        using var context = await ContextRun.PrefillAsync(model, ExactnessTests.Ids(300, 3));
        var continuations = Enumerable.Range(1, 40).Select(length => ExactnessTests.Ids(length, length)).ToArray();

        var together = await context.ScoreAsync(continuations);

        for (var index = 0; index < continuations.Length; index++)
        {
            Assert.Equal(await context.ScoreAsync(continuations[index]), together[index]);
        }
    }

    [Theory]
    [InlineData(new int[0], 1, "EmptyInput")]
    [InlineData(new[] { 128 }, 1, "TokenOutOfVocabulary")]
    [InlineData(new[] { -1 }, 1, "TokenOutOfVocabulary")]
    [InlineData(new[] { 1 }, 2048, "ContextWindowExceeded")]
    [InlineData(new[] { 1 }, 0, "InvalidArgument")]
    public async Task Generate_BadInput_SaysSo(int[] prompt, int tokens, string code)
    {
        var model = await engine.GoldenModelAsync(Model);
        using var context = await ContextRun.PrefillAsync(model, [1, 2, 3]);
        var refused = await Assert.ThrowsAsync<InferenceException>(() => context.AskAsync(prompt, ExactnessTests.Options(tokens)));
        Assert.Equal(code, refused.Code);
        Assert.NotEmpty(refused.Remedy);
    }

    [Fact]
    public async Task Generate_StopStringWithoutTokenizer_Refuses()
    {
        var model = await engine.GoldenModelAsync(Model);
        using var context = await ContextRun.PrefillAsync(model, [1, 2, 3]);
        var refused = await Assert.ThrowsAsync<InferenceException>(() => context.AskAsync([1], new SamplingOptions { MaxNewTokens = 1, Stop = ["."] }));
        Assert.Equal("TokenizerMissing", refused.Code);
    }

    [Fact]
    public async Task Generate_StopString_TextEndsInFrontOfItAndTokensJoinToIt()
    {
        var model = await engine.ModelAsync(Path.Combine(AppContext.BaseDirectory, "Models", "ledger-4m"));
        var tokenizer = model.Tokenizer ?? throw new InvalidOperationException("The sample model has a tokenizer.");
        using var context = await ContextRun.PrefillAsync(model, tokenizer.Encode("The colour of the house is green.\n"));
        var free = await context.AskAsync(tokenizer.Encode("Question: What is"), ExactnessTests.Options(20));
        var text = free.Text ?? string.Empty;
        var stop = text.Substring(text.Length / 2, 3);
        var parts = new List<string?>();
        var stopped = await context.AskAsync(tokenizer.Encode("Question: What is"), ExactnessTests.Options(20) with { Stop = ["\u0000never", stop], TopLogProbabilities = 2 }, token => parts.Add(token.Text));

        Assert.Equal("stop", stopped.FinishReason);
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], stopped.Text);
        Assert.Equal(stopped.Text, string.Concat(parts));
        Assert.Equal(free.TokenIds[..stopped.TokenIds.Length], stopped.TokenIds);
        Assert.All(stopped.TopLogProbabilities ?? [], (top, index) => Assert.Equal(stopped.TokenIds[index], top[0].Id)); // greedy takes the likeliest
    }

    [Fact]
    public async Task Generate_Sampled_SameSeedSameTokensOtherSeedOthers()
    {
        var model = await engine.GoldenModelAsync(Model);
        using var context = await ContextRun.PrefillAsync(model, [1, 2, 3]);
        var options = ExactnessTests.Options(40) with { Temperature = 1.5, TopP = 0.95, TopK = 50, Seed = 7 };
        var first = await context.AskAsync([4], options);

        Assert.Equal(first.TokenIds, (await context.AskAsync([4], options)).TokenIds);
        Assert.NotEqual(first.TokenIds, (await context.AskAsync([4], options with { Seed = 8 })).TokenIds);
    }

    [Fact]
    public async Task Score_MoreContinuationsThanTheQueueTakes_IsLetInOnceAndEnds()
    {
        await using var own = NewEngine(capacity: 1);
        var model = await LoadAsync(own);
        using var context = await ContextRun.PrefillAsync(model, [1, 2, 3]);
        var continuations = Enumerable.Range(0, 20).Select(index => ExactnessTests.Ids(2 + (index % 3), index)).ToArray();
        var scores = await context.ScoreAsync(continuations);

        Assert.Equal(continuations.Select(continuation => continuation.Length), scores.Select(score => score.Length));
    }

    [Theory, Trait("Invariant", "7")]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Score_QueueIsFull_RefusesAtOnce(int length)
    {
        await using var own = NewEngine(capacity: 2);
        var model = await LoadAsync(own);
        using var context = await ContextRun.PrefillAsync(model, [1, 2, 3]);
        using var release = new ManualResetEventSlim();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var running = context.AskAsync([4], ExactnessTests.Options(2), _ =>
        {
            started.TrySetResult();
            release.Wait(TimeSpan.FromSeconds(30));
        });
        await started.Task;
        var waiting = context.AskAsync([5], ExactnessTests.Options(2));

        var refused = await Assert.ThrowsAsync<InferenceException>(() => context.ScoreAsync(ExactnessTests.Ids(length, 1)));
        Assert.Equal(2, own.QueueDepth);
        release.Set();
        await Task.WhenAll(running, waiting);
        Assert.Equal("QueueFull", refused.Code);
    }

    [Fact]
    public async Task Load_FolderIsMissing_SaysSo()
    {
        var refused = await Assert.ThrowsAsync<InferenceException>(() => engine.Engine.LoadAsync("/nowhere/at/all", "x", new ModelLoadOptions()));
        Assert.Equal("ModelNotFound", refused.Code);
    }

    private static DeviceEngine NewEngine(int capacity = 1024, int threads = 1) =>
        new(new EngineOptions { Threads = threads, QueueCapacity = capacity }, TimeProvider.System, NullLogger.Instance);

    private static Task<LoadedModel> LoadAsync(DeviceEngine engine) => engine.LoadAsync(
        EngineFixture.Golden("models/" + Model), Model, new ModelLoadOptions(Fingerprints: new FingerprintCache(Path.Combine(AppContext.BaseDirectory, "fingerprints"))));

    // Makes one weight of the final norm NaN, so that every logit is.
    private static void Poison(string folder)
    {
        var source = EngineFixture.Golden("models/" + Model);
        File.Copy(Path.Combine(source, "config.json"), Path.Combine(folder, "config.json"));
        var bytes = File.ReadAllBytes(Path.Combine(source, "model.safetensors"));
        var start = (int)BitConverter.ToInt64(bytes) + sizeof(long);
        using var header = System.Text.Json.JsonDocument.Parse(bytes.AsMemory(sizeof(long), start - sizeof(long)));
        var offset = header.RootElement.GetProperty("gpt_neox.final_layer_norm.weight").GetProperty("data_offsets")[0].GetInt32();
        BitConverter.TryWriteBytes(bytes.AsSpan(start + offset), float.NaN);
        File.WriteAllBytes(Path.Combine(folder, "model.safetensors"), bytes);
    }
}
