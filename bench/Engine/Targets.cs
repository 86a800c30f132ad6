namespace Granary.Bench.Engine;

/// <summary>The ratios that the engine aims at, and the comparisons that they are of.</summary>
internal static class Targets
{
    private const double SharedToSeparate = 0.5;
    private const double DecodeToFloor = 1.2;
    private const double LoadToRead = 2;
    private const double PagesToOneStep = 1.05;

    /// <summary>Compares what was measured of one model in one dtype; what was not measured is left out.</summary>
    /// <param name="series">What was measured.</param>
    /// <param name="dtype">Our dtype.</param>
    public static IReadOnlyList<Comparison> Compare(Series series, string dtype)
    {
        var keys = series.KeysOf(Series.Ours).ToList();
        return
        [
            .. keys.SelectMany(key => PeerKind.Of(dtype).Select(peer => Find(series, key, peer.ToString(), key, OfPeer(key, peer)))).OfType<Comparison>(),
            .. keys.Where(static key => key is { Work: "decode", Shared: true })
                .Select(key => Find(series, key, "separate contexts", key with { Shared = false }, SharedToSeparate, Series.Ours)).OfType<Comparison>(),
            .. keys.Where(static key => key.Work is "load" or "first-load")
                .Select(key => Find(series, key, "a read of the weight files", key, LoadToRead, Series.Floor)).OfType<Comparison>(),
            .. keys.Where(static key => key.Work == "decode")
                .Select(key => Find(series, key, Series.Floor, key, key.Asks == 1 ? DecodeToFloor : null)).OfType<Comparison>(),
            .. keys.Where(static key => key.Work == "prefill")
                .Select(key => Find(series, key, "one step: cost of history independence", key with { Work = "one-step" }, PagesToOneStep, Series.Ours)).OfType<Comparison>(),
        ];
    }

    /// <summary>Gets the target of a piece of work against a peer; <see langword="null"/> where none was set.</summary>
    public static double? OfPeer(RowKey key, PeerKind peer) => (key.Work, key.Tokens, key.Asks, peer.WeightType, peer.KvType) switch
    {
        ("prefill", _, _, _, _) => 0.6,
        ("decode", 2048, 1, "f32", "f32") => 0.3,
        ("decode", 2048, 1, "f32", _) => 1.1,
        ("decode", 2048, 1, _, _) => 0.75,
        ("decode", 2048, 8, "f32", "f32") => 0.12,
        ("decode", 2048, 8, "f32", _) => 0.75,
        ("decode", 2048, 8, _, _) => 0.65,
        ("decode", 128, 32, "f32", _) => 0.5,
        ("decode", 128, 32, _, _) => 0.6,
        _ => null,
    };

    private static Comparison? Find(Series series, RowKey key, string against, RowKey theirs, double? target, string? engine = null) =>
        series.Find(Series.Ours, key) is { } ours && series.Find(engine ?? against, theirs) is { } other ? new Comparison(key.ToString(), ours, against, other, target) : null;
}
