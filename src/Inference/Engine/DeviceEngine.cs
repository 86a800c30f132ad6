using Granary.Inference.Attention;
using Granary.Inference.Kernels;
using Granary.Inference.Models;
using Granary.Inference.Pages;
using Microsoft.Extensions.Logging;
using static TorchSharp.torch;

namespace Granary.Inference.Engine;

/// <summary>One device: its thread, its queue, its models.</summary>
/// <remarks>
/// Invariant 7: one dedicated thread runs all tensor code, synchronously, in inference mode and dispose scopes. Requests take turns step by step, so a
/// long prefill holds nobody up for longer than a page. A request that fails fails alone, or with those whose rows share its step.
/// </remarks>
public sealed partial class DeviceEngine : IAsyncDisposable
{
    // What carries a first token away needs a processor for some hundred microseconds. A step takes them all, and the kernel may let it keep them for a tick of 4 ms.
    private static readonly TimeSpan HandOver = TimeSpan.FromMilliseconds(1);

    private readonly EngineOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly WorkQueue _queue;
    private readonly KernelTeam _team;
    private readonly SharedStep _sharedStep; // the device thread's
    private readonly List<DeviceModel> _models = []; // the device thread's
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Starts the device's thread.</summary>
    /// <param name="options">How it uses the machine.</param>
    /// <param name="time">Measures steps.</param>
    /// <param name="logger">Told what failed on the thread.</param>
    /// <exception cref="ArgumentOutOfRangeException">Threads or capacity are below 1.</exception>
    public DeviceEngine(EngineOptions options, TimeProvider time, ILogger logger)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.EffectiveThreads, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.QueueCapacity, 1, nameof(options));
        (_options, _time, _logger) = (options, time, logger);
        _queue = new WorkQueue(options.QueueCapacity);
        _team = new KernelTeam(options.EffectiveThreads);
        _sharedStep = new SharedStep(_queue, time, RunControl, Fail);
        new Thread(Run) { Name = "granary-device-" + Device, IsBackground = true }.Start();
    }

    /// <summary>Gets the device's name.</summary>
    public string Device { get; } = "cpu";

    /// <summary>Gets the requests that wait or run.</summary>
    public int QueueDepth => _queue.Depth;

    /// <summary>Gets how many may; one more is refused.</summary>
    public int QueueCapacity => _options.QueueCapacity;

    internal TimeProvider Time => _time;

    internal KernelTeam Team => _team; // the device thread's

    /// <summary>Ends when the device thread has done all that was queued before.</summary>
    internal Task QuiesceAsync() => RunAsync(new SingleStep<bool>(() => true, batch: true, CancellationToken.None));

    /// <summary>Loads a checkpoint. Reading and checking it happens beside the device thread, only the conversion on it.</summary>
    /// <param name="folder">The checkpoint's folder.</param>
    /// <param name="modelId">What the model is called.</param>
    /// <param name="options">How it is run.</param>
    /// <param name="cancellationToken">Leaves nothing behind.</param>
    /// <returns>The model; unloaded with the engine.</returns>
    /// <exception cref="Errors.InferenceException"><c>ModelNotFound</c>, <c>CheckpointInvalid</c>, <c>TokenizerInvalid</c>, <c>QueueFull</c>, <c>InvalidArgument</c> for page size or codec: each says what to do.</exception>
    public Task<LoadedModel> LoadAsync(string folder, string modelId, ModelLoadOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelId);
        if (options.PageSize < 1 || options.PageSize % BlockAttention.BlockTokens != 0)
        {
            // A tail is one run over many pages: only whole blocks fall on the same tokens in it as in the pages (design, section 3).
            throw EngineErrors.Invalid(
                $"A page of {options.PageSize} tokens is no multiple of {BlockAttention.BlockTokens}, the block in which attention goes through a run of tokens.",
                $"Give a multiple of {BlockAttention.BlockTokens}.");
        }

        if (options.Codec.StoredDtype(options.Dtype) is null)
        {
            throw EngineErrors.Invalid($"The codec {options.Codec.Name()} is not for KV in {options.Dtype.Name()}.", "Compute in float32, or take the codec none.");
        }

        return ModelLoading.LoadAsync(this, folder, modelId, options, cancellationToken);
    }

    /// <summary>Stops: what waits is cancelled, the step that runs ends, models are unloaded.</summary>
    /// <returns>When the device thread has ended.</returns>
    public async ValueTask DisposeAsync()
    {
        _queue.Stop();
        await _ended.Task.ConfigureAwait(false);
    }

    internal async Task<TResult> RunAsync<TResult>(EngineRequest<TResult> request, bool followsAdmitted = false)
    {
        var cancellationToken = request.CancellationToken;
        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            _queue.Add(request, followsAdmitted);
        }
        catch (Exception exception)
        {
            request.Fail(exception); // gives back what it holds
            throw;
        }

        using var registration = cancellationToken.UnsafeRegister(_ => _queue.Post(() => Cancel(request)), null);
        return await request.Completion.ConfigureAwait(false);
    }

    /// <summary>Takes a checkpoint over and makes a model of it; where that fails, the checkpoint is disposed.</summary>
    internal DeviceModel LoadOnDevice(CheckpointSource source, KvDtype dtype, Func<int, KernelSet> kernels)
    {
        try
        {
            var model = new DeviceModel(ModelFamilies.Load(source.Checkpoint, dtype, _team, kernels), source);
            _models.Add(model);
            return model;
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    internal void UnloadOnDevice(DeviceModel model)
    {
        if (_models.Remove(model))
        {
            model.Dispose();
        }
    }

    // Between steps, so the request touches nothing while it ends.
    private void Cancel(EngineRequest request)
    {
        if (_queue.Remove(request))
        {
            request.Fail(new OperationCanceledException(request.CancellationToken));
        }
    }

    private void Run()
    {
        Exception ending = new OperationCanceledException("The engine stopped before the request was done.");
        try
        {
            ThreadSpinning.Shorten();
            set_num_threads(_options.EffectiveThreads);
            using var mode = inference_mode();
            while (_queue.Take() is var (control, request) && (control is not null || request is not null))
            {
                RunOne(control, request);
                if (request is { HandsOver: true } && _options.EffectiveThreads >= Environment.ProcessorCount)
                {
                    _queue.AwaitAnother(request, HandOver);
                }
            }
        }
        catch (Exception exception)
        {
            _queue.Stop();
            Log.DeviceFailed(_logger, exception);
            ending = EngineErrors.Failed(exception);
        }

        foreach (var pending in _queue.TakeAll())
        {
            pending.Fail(ending);
        }

        foreach (var model in _models)
        {
            model.Dispose();
        }

        _models.Clear();
        _team.Dispose();
        _ended.TrySetResult();
    }

    private void RunControl()
    {
        while (_queue.TryTakeControl(out var action))
        {
            RunOne(action, null);
        }
    }

    // The edge of the thread: whatever a request or an action throws ends that request or action only.
    private void RunOne(Action? control, EngineRequest? request)
    {
        try
        {
            using var scope = NewDisposeScope();
            request?.CancellationToken.ThrowIfCancellationRequested();
            if (request is null)
            {
                control?.Invoke();
            }
            else if (request is IModelWork { Model.Rows: { } rows } work)
            {
                _sharedStep.Run(request, work, rows);
            }
            else
            {
                EndTurn(request, request.Step(_time));
            }
        }
        catch (Exception exception)
        {
            Fail(request, exception);
        }
    }

    private void EndTurn(EngineRequest request, bool done)
    {
        if (!done)
        {
            _queue.PutBack(request);
        }
    }

    private void Fail(EngineRequest? request, Exception exception)
    {
        if (exception is not (Errors.InferenceException or OperationCanceledException))
        {
            Log.RequestFailed(_logger, exception);
        }

        request?.Fail(exception);
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.RequestFailed, LogLevel.Error, "A step failed on the device; its request failed alone. Report it with this trace")]
        public static partial void RequestFailed(ILogger logger, Exception exception);

        [LoggerMessage(EventIds.DeviceFailed, LogLevel.Critical, "The device thread ended: no request can run. Restart the process; is libtorch beside it?")]
        public static partial void DeviceFailed(ILogger logger, Exception exception);
    }
}
