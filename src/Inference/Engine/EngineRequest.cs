using Granary.Inference.Pages;

namespace Granary.Inference.Engine;

/// <summary>Work for the device thread, done step by step.</summary>
internal abstract class EngineRequest(bool batch, CancellationToken cancellationToken)
{
    private readonly List<KvMemory> _held = [];

    public bool Batch { get; } = batch;

    public CancellationToken CancellationToken { get; } = cancellationToken;

    /// <summary>Gets or sets what is told that the request ends, once and before its task does: whoever waits for it finds its place free.</summary>
    public Action Leaves { get; set; } = static () => { };

    /// <summary>Gets whether the step that ended gave what a caller waits for, while more steps follow.</summary>
    public virtual bool HandsOver => false;

    /// <summary>Gets the time that the request has spent on the device thread.</summary>
    public TimeSpan DeviceTime { get; private set; }

    /// <summary>Takes a step; true when the request is done.</summary>
    public bool Step(TimeProvider time)
    {
        var started = time.GetTimestamp();
        return EndStep(Advance(), time.GetElapsedTime(started));
    }

    /// <summary>Ends the request; on the device thread, between steps, or before it was queued.</summary>
    public void Fail(Exception exception)
    {
        Leave();
        CompleteWith(exception);
    }

    /// <summary>Counts a step; completes the request where it is done.</summary>
    protected bool EndStep(bool done, TimeSpan duration)
    {
        DeviceTime += duration;
        if (done)
        {
            Leave();
            Complete();
        }

        return done;
    }

    /// <summary>Holds memory until the request ends, so that no caller can free what a step reads.</summary>
    /// <exception cref="ObjectDisposedException">It is free already; the request holds nothing then.</exception>
    protected void Hold(KvMemory memory)
    {
        if (!memory.TryAddReference())
        {
            ReleaseAll(); // a request that cannot be made is never ended
            throw new ObjectDisposedException(nameof(KvMemory), "KV memory was lent after its last reference went.");
        }

        _held.Add(memory);
    }

    /// <summary>Holds pages, as <see cref="Hold(KvMemory)"/> does.</summary>
    protected void Hold(IEnumerable<KvPage> pages)
    {
        foreach (var page in pages)
        {
            Hold(page.Data);
        }
    }

    protected abstract bool Advance();

    protected abstract void Complete();

    protected abstract void CompleteWith(Exception exception);

    private void Leave()
    {
        ReleaseAll();
        var leaves = Leaves;
        Leaves = static () => { };
        leaves();
    }

    private void ReleaseAll()
    {
        foreach (var memory in _held)
        {
            memory.Release();
        }

        _held.Clear();
    }
}

/// <summary>Work with a result. Its task ends only when the device thread no longer touches what the request was lent.</summary>
internal abstract class EngineRequest<TResult>(bool batch, CancellationToken cancellationToken) : EngineRequest(batch, cancellationToken)
{
    private readonly TaskCompletionSource<TResult> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<TResult> Completion => _completion.Task;

    protected abstract TResult Result { get; }

    protected override void Complete() => _completion.TrySetResult(Result);

    protected override void CompleteWith(Exception exception)
    {
        if (exception is OperationCanceledException cancelled)
        {
            _completion.TrySetCanceled(cancelled.CancellationToken);
        }
        else
        {
            _completion.TrySetException(exception);
        }
    }
}

/// <summary>Work of one step.</summary>
internal sealed class SingleStep<TResult>(Func<TResult> step, bool batch, CancellationToken cancellationToken) : EngineRequest<TResult>(batch, cancellationToken)
{
    private TResult? _result;

    protected override TResult Result => _result ?? throw new InvalidOperationException("The step has not run.");

    protected override bool Advance()
    {
        _result = step();
        return true;
    }
}
