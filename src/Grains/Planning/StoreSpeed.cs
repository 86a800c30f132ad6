namespace Granary.Grains.Planning;

/// <summary>How fast the store gives pages to this silo, as measured lately: a wait, then bytes.</summary>
/// <remarks>Pages that are read side by side wait together: only the first of them has the wait in its time. Thread-safe.</remarks>
/// <param name="time">Tells how old a measurement is.</param>
internal sealed class StoreSpeed(TimeProvider time)
{
    private const int Doublings = 5;
    private static readonly TimeSpan LongestAge = TimeSpan.FromSeconds(15);
    private const double LeastSeconds = 1e-6; // a clock's step: nothing takes no time
    private readonly Lock _gate = new();
    private double _wait;
    private double _secondsPerByte;
    private bool _isKnown;
    private long? _probed;
    private int _probes;

    /// <summary>Gets whether anything was measured.</summary>
    public bool IsKnown
    {
        get
        {
            lock (_gate)
            {
                return _isKnown;
            }
        }
    }

    /// <summary>Gets the wait before the first byte.</summary>
    /// <value>Seconds.</value>
    public double Wait
    {
        get
        {
            lock (_gate)
            {
                return _wait;
            }
        }
    }

    /// <summary>Tells whether the store should be probed: it never was, or nothing is loaded that would tell how fast it is and the last probe is some time ago.</summary>
    /// <remarks>That time doubles from a second to <see cref="LongestAge"/>: the first probes of a process run through cold code and connections, and what they find too slow is not read.</remarks>
    /// <param name="loads">Whether pages are loaded.</param>
    public bool IsProbeDue(bool loads)
    {
        lock (_gate)
        {
            return _probed is not { } last || (!loads && time.GetElapsedTime(last) > (_probes < Doublings ? TimeSpan.FromSeconds(1 << (_probes - 1)) : LongestAge));
        }
    }

    /// <summary>Learns from a probe. The first replaces what is known, which came from reads through cold code and connections; a later one counts as much as all that is known.</summary>
    /// <param name="wait">The wait before the first byte.</param>
    /// <param name="bytes">What was read, above 0.</param>
    /// <param name="reading">How long its bytes took, without the wait.</param>
    public void Seed(TimeSpan wait, long bytes, TimeSpan reading)
    {
        var (waited, perByte) = (Seconds(wait), Seconds(reading) / bytes);
        lock (_gate)
        {
            (_wait, _secondsPerByte) = _probed is null ? (waited, perByte) : (Math.Sqrt(_wait * waited), Math.Sqrt(_secondsPerByte * perByte));
            (_isKnown, _probed, _probes) = (true, time.GetTimestamp(), Math.Min(_probes + 1, Doublings));
        }
    }

    /// <summary>Gets how long a read is expected to take.</summary>
    /// <param name="bytes">How much.</param>
    /// <param name="waits">Whether nothing else is being read.</param>
    /// <returns>Seconds.</returns>
    public double Expect(long bytes, bool waits)
    {
        lock (_gate)
        {
            return (waits ? _wait : 0) + (bytes * _secondsPerByte);
        }
    }

    /// <summary>Learns from a read.</summary>
    /// <param name="bytes">How much, above 0.</param>
    /// <param name="waits">Whether nothing else was being read when it began.</param>
    /// <param name="took">Its time, or where something else was being read, the time from that one's end on.</param>
    public void Observe(long bytes, bool waits, TimeSpan took)
    {
        var seconds = Seconds(took);
        lock (_gate)
        {
            if (!_isKnown)
            {
                // What of it was the wait is not known yet; the next reads tell.
                (_wait, _secondsPerByte) = waits ? (seconds / 2, seconds / 2 / bytes) : (LeastSeconds, seconds / bytes);
            }
            else
            {
                var pull = RatioMean.Pull(seconds, (waits ? _wait : 0) + (bytes * _secondsPerByte));
                _wait *= waits ? pull : 1;
                _secondsPerByte *= pull;
            }

            _isKnown = true;
        }
    }

    private static double Seconds(TimeSpan span) => Math.Max(LeastSeconds, span.TotalSeconds);
}
