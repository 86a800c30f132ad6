using System.Diagnostics.Metrics;

namespace Granary.Grains.Tests.Hosting;

/// <summary>Sums one of Granary's counters while it lives.</summary>
internal sealed class TokenCount : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly List<(KeyValuePair<string, object?>[] Tags, long Value)> _tagged = [];
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
        _listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            Interlocked.Add(ref _total, value);
            lock (_tagged)
            {
                _tagged.Add((tags.ToArray(), value));
            }
        });
        _listener.Start();
    }

    public long Total => Interlocked.Read(ref _total);

    /// <summary>Gets the sums by a tag's values, ordered.</summary>
    public IReadOnlyList<(string Value, long Total)> ByTag(string tag)
    {
        lock (_tagged)
        {
            return [.. _tagged
                .GroupBy(one => Array.Find(one.Tags, pair => pair.Key == tag).Value?.ToString() ?? "")
                .Select(static group => (group.Key, group.Sum(static one => one.Value)))
                .OrderBy(static sum => sum.Key, StringComparer.Ordinal)];
        }
    }

    public void Dispose() => _listener.Dispose();
}
