namespace Granary.Inference.Kernels;

/// <summary>The threads that share a kernel's work: the device thread, which leads, and its workers.</summary>
/// <remarks>
/// Work is cut into chunks that whoever is free takes, so a worker that lost its core delays nobody; no chunk's bits depend on who takes it. Workers spin
/// for some microseconds, longer than the gap between two kernels of a step, and then sleep, so that an idle engine costs nothing.
/// </remarks>
internal sealed class KernelTeam : IDisposable
{
    private const int Spins = 400;

    [ThreadStatic]
    private static int _threadIndex;

    private readonly Thread[] _workers;
    private readonly SemaphoreSlim _wake = new(0);
    private Action<int> _work = static _ => { };
    private long _ticket; // chunks in the upper half, the next one in the lower: both are read at once, so a late worker never takes a chunk that is not there
    private int _finished;
    private int _round;
    private int _sleeping;
    private volatile bool _stopped;

    /// <param name="threads">Threads together with the caller's, at least 1.</param>
    public KernelTeam(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        _workers = new Thread[threads - 1];
        for (var index = 0; index < _workers.Length; index++)
        {
            var threadIndex = index + 1;
            _workers[index] = new Thread(() => Attend(threadIndex)) { Name = "granary-kernel-" + (index + 1), IsBackground = true };
            _workers[index].Start();
        }
    }

    /// <summary>Gets the place of the running thread in its team, below <see cref="Threads"/>: 0 for the caller of <see cref="Run"/>. For scratch memory, never for choosing work.</summary>
    public static int ThreadIndex => _threadIndex;

    /// <summary>Gets the threads, the caller's included.</summary>
    public int Threads => _workers.Length + 1;

    /// <summary>Runs all chunks and returns when the last has ended. One caller at a time.</summary>
    /// <param name="chunks">How many.</param>
    /// <param name="work">Does a chunk; on any of the team's threads, and it must not throw.</param>
    public void Run(int chunks, Action<int> work)
    {
        if (_workers.Length == 0 || chunks == 1)
        {
            for (var chunk = 0; chunk < chunks; chunk++)
            {
                work(chunk);
            }

            return;
        }

        _work = work;
        _finished = 0;
        Volatile.Write(ref _ticket, (long)chunks << 32);
        Interlocked.Increment(ref _round);
        var sleeping = Volatile.Read(ref _sleeping);
        if (sleeping > 0)
        {
            _wake.Release(sleeping);
        }

        TakeChunks();
        var wait = default(SpinWait);
        while (Volatile.Read(ref _finished) < chunks)
        {
            wait.SpinOnce(sleep1Threshold: -1); // a worker is inside a chunk: yields, never sleeps
        }
    }

    public void Dispose()
    {
        _stopped = true;
        Interlocked.Increment(ref _round);
        if (_workers.Length > 0)
        {
            _wake.Release(_workers.Length);
        }

        foreach (var worker in _workers)
        {
            worker.Join();
        }

        _wake.Dispose();
    }

    private void TakeChunks()
    {
        while (true)
        {
            var ticket = Interlocked.Increment(ref _ticket) - 1;
            var (chunks, chunk) = ((int)(ticket >> 32), (int)ticket);
            if (chunk >= chunks)
            {
                return;
            }

            _work(chunk);
            Interlocked.Increment(ref _finished);
        }
    }

    private void Attend(int threadIndex)
    {
        _threadIndex = threadIndex;
        var seen = 0;
        while (!_stopped)
        {
            var spins = 0;
            while (Volatile.Read(ref _round) == seen)
            {
                if (++spins < Spins)
                {
                    Thread.SpinWait(8);
                    continue;
                }

                Interlocked.Increment(ref _sleeping);
                if (Volatile.Read(ref _round) == seen)
                {
                    _wake.Wait(); // a round that began meanwhile has released it, or will wake it for nothing: both are harmless
                }

                Interlocked.Decrement(ref _sleeping);
            }

            seen = Volatile.Read(ref _round);
            TakeChunks();
        }
    }
}
