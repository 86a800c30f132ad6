using Granary.Inference.Checkpoints;
using Granary.Inference.Engine;
using Granary.Inference.Errors;
using Granary.Inference.Kernels;
using Granary.Inference.Models;
using Granary.Inference.Pages;
using Granary.Inference.Shapes;
using Granary.Inference.Tests.Checkpoints;
using Granary.Inference.Tests.HistoryIndependence;
using Microsoft.Extensions.Logging.Abstractions;
using static TorchSharp.torch;

namespace Granary.Inference.Tests.Engine;

/// <summary>Weights are held once, and a mapping lives as long as its model.</summary>
public sealed class LoadingTests : IAsyncLifetime
{
    private readonly ScratchFolder _scratch = new();
    private readonly DeviceEngine _engine = HistoryModels.NewEngine(threads: 1);

    private string Folder => _scratch.File("model");

    public ValueTask InitializeAsync()
    {
        RandomCheckpoint.Create(HistoryModels.Shape(heads: 8, headDim: 64, vocabulary: 5003), seed: 1, Folder); // 33 MB
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        _scratch.Dispose();
    }

    [Fact]
    public async Task Load_DtypeOfTheFile_EveryWeightIsUsedWhereItIsMapped()
    {
        var model = await LoadAsync(KvDtype.Float32);

        var bytes = Parameters() * sizeof(float);
        Assert.Equal((bytes, bytes), (model.WeightBytes, model.MappedWeightBytes));
        await model.UnloadAsync();
    }

    [Fact]
    public async Task Load_OtherDtype_OneCopyAndNoPageOfTheFileStays()
    {
        var model = await LoadAsync(KvDtype.BFloat16);

        Assert.Equal((Parameters() * sizeof(ushort), 0), (model.WeightBytes, model.MappedWeightBytes));
        // A page at each end of a tensor is its neighbour's too, and a fault brings 16 pages.
        Assert.True(ResidentBytes() < model.WeightBytes / 10, $"{ResidentBytes()} bytes of the file are resident beside the copy of {model.WeightBytes}.");
        await model.UnloadAsync();
    }

    [Fact]
    public async Task Unload_EndsTheMapping()
    {
        var model = await LoadAsync(KvDtype.Float32);
        Assert.True(IsMapped());

        await model.UnloadAsync();

        Assert.False(IsMapped());
    }

    [Fact]
    public async Task Dispose_EngineWithALoadedModel_EndsTheMapping()
    {
        await LoadAsync(KvDtype.Float32);

        await _engine.DisposeAsync();

        Assert.False(IsMapped());
    }

    [Fact]
    public async Task Load_FailsOnTheDevice_LeavesNothing()
    {
        static ICausalModel Fail(ICausalModel model) => throw new InferenceException("Broken", "The model broke.", "Mend it.");

        await Assert.ThrowsAsync<InferenceException>(() => _engine.LoadAsync(Folder, "broken", Options(KvDtype.Float32) with { Prepare = Fail }, TestContext.Current.CancellationToken));

        Assert.False(IsMapped());
    }

    [Theory, InlineData(0), InlineData(1), InlineData(2), InlineData(3), InlineData(4), InlineData(5)]
    public async Task Load_WorkingMemoryCannotBeMade_LeavesNoTensorAndNoNativeMemory(int looks)
    {
        var options = Options(KvDtype.BFloat16) with { Kernels = bytes => new KernelSet(RowKernels.Best(bytes), new PanelsWithoutRoom(looks)) };
        await (await LoadAsync(KvDtype.BFloat16)).UnloadAsync(); // what a first load leaves for good is there
        GC.Collect();
        GC.WaitForPendingFinalizers(); // earlier tests' tensors do not go meanwhile
        var before = (Tensor.TotalCount, NativeRows.LiveBytes);

        await Assert.ThrowsAsync<InsufficientMemoryException>(() => _engine.LoadAsync(Folder, "broken", options, TestContext.Current.CancellationToken));

        Assert.Equal(before, (Tensor.TotalCount, NativeRows.LiveBytes));
        Assert.False(IsMapped());
    }

    [Fact]
    public async Task Load_CancelledWhileItWaits_LeavesNothing()
    {
        using var busy = new ManualResetEventSlim();
        using var leave = new CancellationTokenSource();
        var holds = _engine.RunAsync(new SingleStep<bool>(() => busy.Wait(TimeSpan.FromMinutes(1)), batch: false, CancellationToken.None));
        var load = _engine.LoadAsync(Folder, "late", Options(KvDtype.Float32), leave.Token);
        await WaitAsync(() => _engine.QueueDepth == 2);

        await leave.CancelAsync();
        busy.Set();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => load);
        Assert.True(await holds);
        Assert.False(IsMapped());
    }

    [Fact]
    public async Task Open_CancelledBeforeTheFingerprintIsComputed_EndsTheMapping()
    {
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            CheckpointSource.OpenAsync(Folder, new FingerprintCache(_scratch.File("fingerprints")), new CancellationToken(canceled: true)));

        Assert.False(IsMapped());
    }

    [Fact]
    public async Task Unload_QueueIsFull_IsNotRefused()
    {
        await using var full = new DeviceEngine(new EngineOptions { Threads = 1, QueueCapacity = 1 }, TimeProvider.System, NullLogger.Instance);
        var model = await full.LoadAsync(Folder, "loaded", Options(KvDtype.Float32), TestContext.Current.CancellationToken);
        using var busy = new ManualResetEventSlim();
        var holds = full.RunAsync(new SingleStep<bool>(() => busy.Wait(TimeSpan.FromMinutes(1)), batch: false, CancellationToken.None));

        var unload = model.UnloadAsync();
        busy.Set();

        await unload;
        Assert.True(await holds);
        Assert.False(IsMapped());
    }

    [Fact]
    public async Task Unload_Twice_IsDoneOnce()
    {
        var model = await LoadAsync(KvDtype.BFloat16);

        await model.UnloadAsync();
        await model.UnloadAsync();

        Assert.False(IsMapped());
    }

    private static async Task WaitAsync(Func<bool> condition)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!condition())
        {
            timeout.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private string Weights => Path.Combine(Folder, "model.safetensors");

    private ModelLoadOptions Options(KvDtype dtype) => new(dtype, Fingerprints: new FingerprintCache(_scratch.File("fingerprints")));

    private Task<LoadedModel> LoadAsync(KvDtype dtype) => _engine.LoadAsync(Folder, "loaded", Options(dtype), TestContext.Current.CancellationToken);

    private long Parameters()
    {
        using var checkpoint = Checkpoint.Open(Folder);
        return checkpoint.Parameters;
    }

    private bool IsMapped() => File.ReadLines("/proc/self/maps").Any(line => line.EndsWith(Weights, StringComparison.Ordinal));

    // Without room from some look at its panels' size on: each allocation of a long step is behind another look.
    private sealed unsafe class PanelsWithoutRoom(int looks) : PanelKernels
    {
        private int _looks = looks;

        public override int Outputs => _looks-- > 0 ? 32 : throw new InsufficientMemoryException();

        public override void PackRows(byte* weight, int stride, int outputs, int width, float* panel) => throw new NotSupportedException();

        public override void PackColumns(byte* elements, int stride, int outputs, int width, float* panel) => throw new NotSupportedException();

        public override void Multiply(float* rows, nint stride, int count, float* panel, nint width, float* start, float* target, nint targetStride) => throw new NotSupportedException();

        public override void Add(float* rows, nint stride, int count, float* target) => throw new NotSupportedException();
    }

    private long ResidentBytes()
    {
        var (bytes, isOurs) = (0L, false);
        foreach (var line in File.ReadLines("/proc/self/smaps"))
        {
            if (line.Contains('-', StringComparison.Ordinal) && line.Split(' ') is [var range, _, ..] && range.Contains('-', StringComparison.Ordinal))
            {
                isOurs = line.EndsWith(Weights, StringComparison.Ordinal);
            }
            else if (isOurs && line.StartsWith("Rss:", StringComparison.Ordinal))
            {
                bytes += 1024 * long.Parse(line["Rss:".Length..^"kB".Length], System.Globalization.CultureInfo.InvariantCulture);
            }
        }

        return bytes;
    }
}
