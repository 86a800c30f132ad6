using Granary.Inference.Pages;

namespace Granary.Bench.Storage;

/// <summary>What ours is compared with, and the ratios that it aims at.</summary>
internal static class Targets
{
    private const double LoadToPlainRead = 1.5;
    private const double SaveToPeer = 0.8;
    private const double LoadToPeer = 1.0;

    /// <summary>Compares ours with everyone else at a place.</summary>
    public static IEnumerable<BenchRow> Compare(Place place, long bytes, KvDtype dtype)
    {
        foreach (var work in new[] { "save", "load" })
        {
            foreach (var against in new[] { Workers.Plain, Workers.Copy, Workers.Peer })
            {
                if (Find(place, work, against) is { } theirs)
                {
                    yield return new BenchRow(
                        $"{work}, {place.Name}", NameOf(work, against, place.Name), bytes, place.Seconds[(work, Workers.Ours)], theirs, Of(work, against, place.Name, dtype));
                }
            }
        }
    }

    // A copy is done once a round; it is what a load moves at the least too.
    private static List<double>? Find(Place place, string work, string against) => place.Seconds.GetValueOrDefault((against == Workers.Copy ? "save" : work, against));

    private static string NameOf(string work, string against, string place) => (work, against, place) switch
    {
        ("save", Workers.Plain, "folder") => "plain write and fsync",
        ("save", Workers.Plain, _) => "plain write",
        (_, Workers.Plain, _) => "plain read",
        ("save", Workers.Peer, "folder") => "llama.cpp, without fsync",
        _ => against,
    };

    private static double? Of(string work, string against, string place, KvDtype dtype) => (work, against, place) switch
    {
        ("load", Workers.Plain, "folder") => LoadToPlainRead,
        ("load", Workers.Peer, _) when dtype == KvDtype.BFloat16 => LoadToPeer,
        ("save", Workers.Peer, "memory") when dtype == KvDtype.BFloat16 => SaveToPeer, // nobody's fsync does anything there
        _ => null,
    };
}
