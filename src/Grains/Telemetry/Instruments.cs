using System.Diagnostics.Metrics;

namespace Granary.Grains.Telemetry;

/// <summary>The instruments of DESIGN §9. Tokens and bytes, not requests; no context names as tags.</summary>
internal static class Instruments
{
    private static readonly Meter Meter = new("Granary");

    public static readonly Counter<long> QueriedTokens = Meter.CreateCounter<long>("granary.prefix.queried_tokens", "{token}");
    public static readonly Counter<long> HitTokens = Meter.CreateCounter<long>("granary.prefix.hit_tokens", "{token}");
    public static readonly Counter<long> PrefillTokens = Meter.CreateCounter<long>("granary.prefill.tokens", "{token}");
    public static readonly Counter<long> DecodeTokens = Meter.CreateCounter<long>("granary.decode.tokens", "{token}");
    public static readonly Histogram<double> FirstToken = Meter.CreateHistogram<double>("granary.ttft", "s");
    public static readonly Counter<long> Evictions = Meter.CreateCounter<long>("granary.evictions");
    public static readonly Counter<long> RestoreBytes = Meter.CreateCounter<long>("granary.restore.bytes", "By");
    public static readonly Counter<long> PersistBytes = Meter.CreateCounter<long>("granary.persist.bytes", "By");
    public static readonly Counter<long> IntegrityFailures = Meter.CreateCounter<long>("granary.integrity.failures");
    public static readonly Counter<long> Plans = Meter.CreateCounter<long>("granary.plan");
    public static readonly Counter<long> DatasetItems = Meter.CreateCounter<long>("granary.dataset.items");

    public static KeyValuePair<string, object?> Tag(string name, object? value) => new(name, value);
}
