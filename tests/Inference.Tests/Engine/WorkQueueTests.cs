using System.Diagnostics;
using Granary.Inference.Engine;
using Granary.Inference.Errors;

namespace Granary.Inference.Tests.Engine;

/// <summary>Who is next: first in first out per class, batch in its share, actions before all.</summary>
[Trait("Invariant", "7")]
public sealed class WorkQueueTests
{
    [Fact]
    public void Take_OneClass_FirstInFirstOut()
    {
        var queue = new WorkQueue(capacity: 8);
        var requests = Add(queue, batch: false, count: 5);

        Assert.Equal(requests, Enumerable.Range(0, 5).Select(_ => queue.Take().Request));
    }

    [Fact]
    public void Take_BothClassesNeverEmpty_BatchGetsOneTurnInEight()
    {
        var queue = new WorkQueue(capacity: 8);
        Add(queue, batch: true, count: 2);
        Add(queue, batch: false, count: 2);

        var turns = Enumerable.Range(0, 24).Select(_ => TakeAndPutBack(queue).Batch ? 'b' : 'i').ToArray();

        Assert.Equal("iiiiiiibiiiiiiibiiiiiiib", new string(turns));
    }

    [Fact]
    public void Take_BatchAlone_GetsEveryTurn()
    {
        var queue = new WorkQueue(capacity: 8);
        var requests = Add(queue, batch: true, count: 2);

        Assert.Equal([requests[0], requests[1], requests[0]], Enumerable.Range(0, 3).Select(_ => TakeAndPutBack(queue)));
    }

    [Fact]
    public void PutBack_Request_StandsBehindItsClass()
    {
        var queue = new WorkQueue(capacity: 8);
        var requests = Add(queue, batch: false, count: 3);

        Assert.Equal([.. requests, .. requests], Enumerable.Range(0, 6).Select(_ => TakeAndPutBack(queue)));
    }

    [Fact]
    public void Take_ActionsWait_TheyGoFirstInOrder()
    {
        var queue = new WorkQueue(capacity: 8);
        var request = Add(queue, batch: false, count: 1).Single();
        var ran = new List<int>();
        queue.Post(() => ran.Add(1));
        queue.Post(() => ran.Add(2));

        queue.Take().Control?.Invoke();
        queue.Take().Control?.Invoke();

        Assert.Equal([1, 2], ran);
        Assert.Same(request, queue.Take().Request);
        Assert.False(queue.TryTakeControl(out _));
    }

    [Fact]
    public void Add_AboveTheCapacity_IsRefusedUntilOneEnds()
    {
        var queue = new WorkQueue(capacity: 2);
        Add(queue, batch: false, count: 1);
        Add(queue, batch: true, count: 1);

        Assert.Equal("QueueFull", Assert.Throws<InferenceException>(() => queue.Add(Request(batch: false))).Code);
        Assert.Equal(2, queue.Depth);
        var running = queue.Take().Request;
        Assert.Throws<InferenceException>(() => queue.Add(Request(batch: false))); // it runs: its place is taken
        running?.Fail(new OperationCanceledException());
        running?.Fail(new OperationCanceledException()); // counts once
        queue.Add(Request(batch: false));
        queue.Add(Request(batch: false), followsAdmitted: true); // work that was let in is not broken off
        Assert.Equal(3, queue.Depth);
    }

    [Fact]
    public void Remove_WaitingRequest_IsTakenOutOnce()
    {
        var queue = new WorkQueue(capacity: 8);
        var requests = Add(queue, batch: false, count: 3);

        Assert.True(queue.Remove(requests[1]));
        Assert.False(queue.Remove(requests[1]));

        Assert.Equal([requests[0], requests[2]], Enumerable.Range(0, 2).Select(_ => queue.Take().Request));
        Assert.False(queue.Remove(requests[0])); // it runs
    }

    [Fact]
    public void TakeWhere_SomeAreWanted_InteractiveFirstEachInOrder()
    {
        var queue = new WorkQueue(capacity: 8);
        var batch = Add(queue, batch: true, count: 2);
        var interactive = Add(queue, batch: false, count: 3);
        var taken = new List<EngineRequest>();

        queue.TakeWhere(request => request != interactive[1], taken);

        Assert.Equal([interactive[0], interactive[2], .. batch], taken);
        Assert.Same(interactive[1], queue.Take().Request);
    }

    [Fact]
    public void Stop_RequestsWait_ActionsStillRunAndRequestsAreLeft()
    {
        var queue = new WorkQueue(capacity: 8);
        var requests = Add(queue, batch: false, count: 2);
        queue.Post(static () => { });

        queue.Stop();

        Assert.NotNull(queue.Take().Control);
        Assert.Equal((null, null), queue.Take());
        Assert.Equal("Unavailable", Assert.Throws<InferenceException>(() => queue.Add(Request(batch: false))).Code);
        Assert.Equal(requests, queue.TakeAll());
    }

    [Fact]
    public void AwaitAnother_OneRequestAlone_WaitsUntilAnotherComesOrTheTimeIsOver()
    {
        var queue = new WorkQueue(capacity: 8);
        Add(queue, batch: false, count: 1);
        var only = TakeAndPutBack(queue);
        var started = Stopwatch.GetTimestamp();

        queue.AwaitAnother(only, TimeSpan.FromMilliseconds(20));

        Assert.True(Stopwatch.GetElapsedTime(started) >= TimeSpan.FromMilliseconds(19)); // the kernel's clock is a coarser one
        var adding = new Thread(() => Add(queue, batch: true, count: 1));
        adding.Start();
        queue.AwaitAnother(only, TimeSpan.FromHours(1));
        adding.Join();
        Assert.Equal(2, queue.Depth);
    }

    [Fact]
    public void AwaitAnother_SomethingElseWaits_ReturnsAtOnce()
    {
        var most = TimeSpan.FromHours(1);
        var queue = new WorkQueue(capacity: 8);
        var requests = Add(queue, batch: false, count: 2);
        queue.AwaitAnother(requests[0], most);

        var ended = queue.Take().Request!;
        queue.AwaitAnother(ended, most); // another one's turn is next

        queue.Remove(requests[1]);
        queue.PutBack(ended);
        queue.Post(static () => { });
        queue.AwaitAnother(ended, most);
        queue.TryTakeControl(out _);

        queue.Stop();
        queue.AwaitAnother(ended, most);
        Assert.Same(ended, queue.TakeAll().Single());
    }

    private static EngineRequest TakeAndPutBack(WorkQueue queue)
    {
        var request = queue.Take().Request ?? throw new InvalidOperationException("Nothing waits.");
        queue.PutBack(request);
        return request;
    }

    private static SingleStep<bool>[] Add(WorkQueue queue, bool batch, int count)
    {
        var requests = Enumerable.Range(0, count).Select(_ => Request(batch)).ToArray();
        Array.ForEach(requests, request => queue.Add(request));
        return requests;
    }

    private static SingleStep<bool> Request(bool batch) => new SingleStep<bool>(static () => true, batch, CancellationToken.None);
}
