using System.Diagnostics.Metrics;

namespace Granary.Grains.Tests.Hosting;

/// <summary>Sums one of Granary's counters while it lives.</summary>
internal sealed class TokenCount : IDisposable
{
    private readonly MeterListener _listener = new();
    private long _total;

    public TokenCount(string instrument)
    {
        _listener.InstrumentPublished = (published, listener) =>
        {
            if (published.Meter.Name == "Granary" && published.Name == instrument)
            {
                listener.EnableMeasurementEvents(published);
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, value, _, _) => Interlocked.Add(ref _total, value));
        _listener.Start();
    }

    public long Total => Interlocked.Read(ref _total);

    public void Dispose() => _listener.Dispose();
}
