using Granary.Grains.Errors;

namespace Granary.Grains.Draining;

/// <summary>What runs of one activation, so that a drain waits for it.</summary>
/// <param name="drain">The silo's.</param>
/// <param name="activation">The activation.</param>
/// <param name="isContext">Whether it is a context's.</param>
internal sealed class ActivationWork(SiloDrain drain, IGrainContext activation, bool isContext)
{
    private static readonly DeactivationReason Reason = new(DeactivationReasonCode.ApplicationRequested, "Its silo drains.");
    private int _open;

    /// <summary>Gets whether it is a context's.</summary>
    public bool IsContext => isContext;

    /// <summary>Begins work that goes on without a caller.</summary>
    /// <returns>Ends it; to be disposed on the activation's scheduler.</returns>
    public IDisposable Begin() => new Scope(this, isStream: false);

    /// <summary>Passes a stream to its caller, its errors translated; it is open until the caller has its end, or has left.</summary>
    public IAsyncEnumerable<T> ServeAsync<T>(IAsyncEnumerable<T> stream) => new ServedStream<T>(this, ErrorEdge.GuardAsync(stream));

    /// <summary>Deactivates it if nothing runs. The look is a turn of its own, so that no stream begins between the look and the end.</summary>
    public void EndIfIdle() => activation.Scheduler.QueueAction(() =>
    {
        if (Volatile.Read(ref _open) == 0)
        {
            activation.Deactivate(Reason);
        }
    });

    /// <summary>Deactivates it if its silo drains. Called as it activates: what has been sent to it is placed anew.</summary>
    public void EndIfDraining()
    {
        if (drain.IsDraining)
        {
            activation.Deactivate(Reason);
        }
    }

    /// <summary>Deactivates it, whatever runs.</summary>
    public Task EndAsync()
    {
        activation.Deactivate(Reason);
        return activation.Deactivated;
    }

    private sealed class Scope : IDisposable
    {
        private readonly bool _isStream;
        private ActivationWork? _work;

        public Scope(ActivationWork work, bool isStream)
        {
            (_work, _isStream) = (work, isStream);
            Interlocked.Increment(ref work._open);
            work.Drain.NoteBegun(isStream);
        }

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _work, null) is not { } work)
            {
                return;
            }

            if (Interlocked.Decrement(ref work._open) == 0 && work.Drain.IsDraining)
            {
                work.EndIfIdle();
            }

            work.Drain.NoteEnded(_isStream);
        }
    }

    private SiloDrain Drain => drain;

    /// <summary>A stream that is open from its start to its disposal: the end is reached before the caller is told, and an activation that went then would end it in an error.</summary>
    private sealed class ServedStream<T>(ActivationWork work, IAsyncEnumerable<T> stream) : IAsyncEnumerable<T>
    {
        public IAsyncEnumerator<T> GetAsyncEnumerator(CancellationToken cancellationToken) => new Enumerator(new Scope(work, isStream: true), stream.GetAsyncEnumerator(cancellationToken));

        private sealed class Enumerator(Scope scope, IAsyncEnumerator<T> items) : IAsyncEnumerator<T>
        {
            public T Current => items.Current;

            public ValueTask<bool> MoveNextAsync() => items.MoveNextAsync();

            public async ValueTask DisposeAsync()
            {
                try
                {
                    await items.DisposeAsync();
                }
                finally
                {
                    scope.Dispose();
                }
            }
        }
    }
}
