using System.Diagnostics.CodeAnalysis;

namespace Granary.Inference.Engine;

/// <summary>What waits for the device thread: a bounded lane of requests that take turns, and an unbounded lane of control actions that go first.</summary>
/// <remarks>Invariant 7. Interactive requests go before batch ones, which still get one step in <see cref="BatchEvery"/>, so that none waits for ever.</remarks>
internal sealed class WorkQueue(int capacity)
{
    private const int BatchEvery = 8;
    private readonly object _gate = new();
    private readonly LinkedList<EngineRequest> _interactive = new();
    private readonly LinkedList<EngineRequest> _batch = new();
    private readonly Queue<Action> _control = new();
    private int _depth;
    private int _interactiveSteps;
    private bool _stopped;

    /// <summary>Gets the requests that wait or run.</summary>
    public int Depth => Volatile.Read(ref _depth);

    /// <summary>Adds a request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="followsAdmitted">Whether it goes on with work that was let in before, which a full queue must not break off midway.</param>
    /// <exception cref="Errors.InferenceException"><c>QueueFull</c> or <c>Unavailable</c>.</exception>
    public void Add(EngineRequest request, bool followsAdmitted = false)
    {
        lock (_gate)
        {
            if (_stopped)
            {
                throw EngineErrors.Stopped();
            }

            if (_depth >= capacity && !followsAdmitted)
            {
                throw EngineErrors.QueueFull(capacity);
            }

            Interlocked.Increment(ref _depth); // requests end without the lock
            request.Leaves = Ended;
            LaneOf(request).AddLast(request);
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>Adds an action that the device thread runs before its next step; ignored after the stop.</summary>
    public void Post(Action action)
    {
        lock (_gate)
        {
            if (!_stopped)
            {
                _control.Enqueue(action);
                Monitor.Pulse(_gate);
            }
        }
    }

    /// <summary>Takes what is next: an action, or a request's turn. Waits; both null once the queue is stopped.</summary>
    public (Action? Control, EngineRequest? Request) Take()
    {
        lock (_gate)
        {
            while (true)
            {
                if (_control.TryDequeue(out var action))
                {
                    return (action, null);
                }

                if (_stopped)
                {
                    return (null, null);
                }

                if (NextLane() is { First: { } node } lane)
                {
                    lane.RemoveFirst();
                    return (null, node.Value);
                }

                Monitor.Wait(_gate);
            }
        }
    }

    /// <summary>Takes the next action, if there is one.</summary>
    public bool TryTakeControl([MaybeNullWhen(false)] out Action action)
    {
        lock (_gate)
        {
            return _control.TryDequeue(out action);
        }
    }

    /// <summary>Takes requests out of turn, interactive ones first, each class in order.</summary>
    /// <param name="wanted">Whether one is taken; called under the queue's lock, and it must not throw.</param>
    /// <param name="taken">Where they go.</param>
    public void TakeWhere(Func<EngineRequest, bool> wanted, List<EngineRequest> taken)
    {
        lock (_gate)
        {
            TakeWhere(_interactive, wanted, taken);
            TakeWhere(_batch, wanted, taken);
        }
    }

    /// <summary>Puts a request that is not done behind its class.</summary>
    public void PutBack(EngineRequest request)
    {
        lock (_gate)
        {
            LaneOf(request).AddLast(request);
        }
    }

    /// <summary>Waits for an action or another request, where a request is all that there is; on the device thread.</summary>
    /// <param name="request">The request; one that ended waits for nothing.</param>
    /// <param name="most">The longest wait.</param>
    public void AwaitAnother(EngineRequest request, TimeSpan most)
    {
        lock (_gate)
        {
            if (_interactive.Count + _batch.Count == 1 && LaneOf(request).First?.Value == request && _control.Count == 0 && !_stopped)
            {
                Monitor.Wait(_gate, most);
            }
        }
    }

    /// <summary>Removes a request that waits; false if it ended already. On the device thread, where none is in a step.</summary>
    public bool Remove(EngineRequest request)
    {
        lock (_gate)
        {
            return LaneOf(request).Remove(request);
        }
    }

    /// <summary>Refuses what comes from now on and wakes the device thread.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            _stopped = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Takes all requests that wait.</summary>
    public EngineRequest[] TakeAll()
    {
        lock (_gate)
        {
            EngineRequest[] all = [.. _interactive, .. _batch];
            _interactive.Clear();
            _batch.Clear();
            return all;
        }
    }

    private static void TakeWhere(LinkedList<EngineRequest> lane, Func<EngineRequest, bool> wanted, List<EngineRequest> taken)
    {
        for (var node = lane.First; node is not null;)
        {
            var next = node.Next;
            if (wanted(node.Value))
            {
                lane.Remove(node);
                taken.Add(node.Value);
            }

            node = next;
        }
    }

    private void Ended() => Interlocked.Decrement(ref _depth);

    private LinkedList<EngineRequest> LaneOf(EngineRequest request) => request.Batch ? _batch : _interactive;

    private LinkedList<EngineRequest>? NextLane()
    {
        if (_interactive.Count > 0 && (_batch.Count == 0 || _interactiveSteps < BatchEvery - 1))
        {
            _interactiveSteps++;
            return _interactive;
        }

        _interactiveSteps = 0;
        return _batch.Count > 0 ? _batch : null;
    }
}
