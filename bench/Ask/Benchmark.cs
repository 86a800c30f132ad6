using Granary.Bench.Ask.Works;
using Granary.Inference.Benchmarks;

namespace Granary.Bench.Ask;

/// <summary>The run: each work in turn, and in each all that is compared round by round.</summary>
internal static class Benchmark
{
    public const string Scale = "scale";
    public const string Token = "token";
    public const string Paced = "paced";
    public const string Silos = "silos";

    public static async Task<BenchReport> RunAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        var (started, loadBefore) = (TimeProvider.System.GetUtcNow(), MachineFacts.Load());
        var folder = Path.Combine(options.Folder ?? Path.GetTempPath(), $"granary-bench-ask-{Guid.NewGuid():N}");
        Directory.CreateDirectory(folder);
        try
        {
            var rows = new List<BenchRow>();
            if (options.Works.Contains(Token) || options.Works.Contains(Paced))
            {
                rows.AddRange(await StreamAsync(options, Path.Combine(folder, "streamed"), cancellationToken));
            }

            if (options.Works.Contains(Silos))
            {
                rows.AddRange(await SilosWork.RunAsync(options, folder, cancellationToken));
            }

            if (options.Works.Contains(Scale))
            {
                rows.AddRange(await ScaleWork.RunAsync(options, folder, cancellationToken)); // last: it leaves the process large
            }

            return new BenchReport { Started = started, LoadBefore = loadBefore, LoadAfter = MachineFacts.Load(), Options = options, Rows = rows };
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<IReadOnlyList<BenchRow>> StreamAsync(BenchOptions options, string folder, CancellationToken cancellationToken)
    {
        var places = await Place.StartAsync(options, folder, cancellationToken);
        try
        {
            return
            [
                .. options.Works.Contains(Token) ? await TokenWork.RunAsync(options, places, cancellationToken) : [],
                .. options.Works.Contains(Paced) ? await PacedWork.RunAsync(options, places, cancellationToken) : [],
            ];
        }
        finally
        {
            await Place.EndAsync(places);
        }
    }
}
