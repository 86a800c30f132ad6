namespace Granary.Bench.Ask.Silos;

/// <summary>
/// The silo's clock, by which a benchmark sees and slows the engine without a change of it: the device thread reads the clock before each step and after it. What it reads after a step
/// is when the step's token was there, and a reading before a step can be made to wait, as a larger model would.
/// </summary>
/// <remarks>All else is the system's clock.</remarks>
internal sealed class PacedTime : TimeProvider, IDisposable
{
    private readonly ManualResetEvent _never = new(initialState: false);
    private readonly Lock _gate = new();
    private readonly List<long> _stamps = [];
    private TimeSpan? _pace;
    private long _due;
    private bool _inStep;

    /// <summary>Begins to pace steps; nothing may run on the engine.</summary>
    /// <param name="pace">From the start of a step to the start of the next one.</param>
    public void Begin(TimeSpan pace)
    {
        lock (_gate)
        {
            _stamps.Clear();
            (_pace, _due, _inStep) = (pace, base.GetTimestamp(), false);
        }
    }

    /// <summary>Ends the pacing.</summary>
    /// <returns>When each step had ended.</returns>
    public long[] End()
    {
        lock (_gate)
        {
            _pace = null;
            return [.. _stamps];
        }
    }

    /// <inheritdoc/>
    public override long GetTimestamp()
    {
        if (Thread.CurrentThread.Name is { } name && name.StartsWith("granary-device-", StringComparison.Ordinal))
        {
            return GetOnDevice();
        }

        return base.GetTimestamp();
    }

    public void Dispose() => _never.Dispose();

    private long GetOnDevice()
    {
        long due;
        lock (_gate)
        {
            var now = base.GetTimestamp();
            if (_pace is not { } pace)
            {
                return now;
            }

            _inStep = !_inStep;
            if (!_inStep)
            {
                _stamps.Add(now);
                return now;
            }

            due = Math.Max(now, _due);
            _due = due + (long)(pace.TotalSeconds * TimestampFrequency);
        }

        var left = GetElapsedTime(base.GetTimestamp(), due);
        if (left > TimeSpan.Zero)
        {
            _never.WaitOne(left);
        }

        return base.GetTimestamp();
    }
}
