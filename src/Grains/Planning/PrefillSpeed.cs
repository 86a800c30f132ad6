namespace Granary.Grains.Planning;

/// <summary>How fast this silo computes pages of one model, as measured lately, the wait for the engine included. Thread-safe.</summary>
internal sealed class PrefillSpeed
{
    private const double LeastSeconds = 1e-6;
    private readonly Lock _gate = new();
    private double? _secondsPerOperation;

    /// <summary>Gets whether anything was measured.</summary>
    public bool IsKnown
    {
        get
        {
            lock (_gate)
            {
                return _secondsPerOperation is not null;
            }
        }
    }

    /// <summary>Gets how long a computation is expected to take.</summary>
    /// <param name="operations">Its floating-point operations.</param>
    /// <returns>Seconds; 0 where nothing was measured.</returns>
    public double Expect(double operations)
    {
        lock (_gate)
        {
            return operations * (_secondsPerOperation ?? 0);
        }
    }

    /// <summary>Learns from a computation.</summary>
    /// <param name="operations">Its floating-point operations, above 0.</param>
    /// <param name="took">From the request to the result.</param>
    public void Observe(double operations, TimeSpan took)
    {
        var seconds = Math.Max(LeastSeconds, took.TotalSeconds);
        lock (_gate)
        {
            _secondsPerOperation = _secondsPerOperation is { } known ? known * RatioMean.Pull(seconds, operations * known) : seconds / operations;
        }
    }
}
