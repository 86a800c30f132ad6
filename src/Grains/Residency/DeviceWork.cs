using Granary.Inference.Engine;

namespace Granary.Grains.Residency;

/// <summary>Work on the device that a context grain registers and its worker starts. It refers to memory of this process, which is why it never crosses a grain call.</summary>
internal abstract class DeviceWork
{
    /// <summary>Queues the work. Returns at once.</summary>
    /// <param name="model">The model of the worker.</param>
    public abstract void Start(LoadedModel model);
}

/// <summary>Work whose result the grain awaits.</summary>
/// <param name="start">Queues the work on a model.</param>
internal sealed class DeviceWork<T>(Func<LoadedModel, Task<T>> start) : DeviceWork
{
    private readonly TaskCompletionSource<T> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Gets the result.</summary>
    public Task<T> Result => _result.Task;

    /// <inheritdoc/>
    public override void Start(LoadedModel model) => _ = CompleteAsync(model);

    private async Task CompleteAsync(LoadedModel model)
    {
        try
        {
            _result.SetResult(await start(model));
        }
        catch (OperationCanceledException e)
        {
            _result.SetCanceled(e.CancellationToken);
        }
        catch (Exception e)
        {
            // The edge of a task that nobody else awaits: whoever waits for the result gets the error.
            _result.SetException(e);
        }
    }
}
