using Granary.Inference.Checkpoints;
using Granary.Inference.Engine;
using Granary.Inference.Errors;
using Granary.Inference.Pages;
using Granary.Inference.Shapes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Granary.Bench.FirstLight;

/// <summary>The run: every round measures every row and every rate once, so that a disturbed moment touches all alike.</summary>
internal static class Benchmark
{
    private const string Shape = "pythia-70m";
    private const int Seed = 1;
    private static readonly int[] PrefillTokens = [512, 2048];
    private static readonly DecodeCase[] DecodeCases =
    [
        new(128, Asks: 1, Shared: false),
        new(2000, Asks: 1, Shared: false),
        new(2000, Asks: 8, Shared: false),
        new(2000, Asks: 8, Shared: true),
        new(128, Asks: 32, Shared: false),
        new(1500, Asks: 16, Shared: true),
        new(1500, Asks: 16, Shared: false),
    ];

    public static async Task<BenchReport> RunAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        var (started, loadBefore) = (TimeProvider.System.GetUtcNow(), BenchReport.Load());
        var checkpoint = options.ModelFolder ?? MakeCheckpoint(options.Folder, cancellationToken);
        await using var engine = new DeviceEngine(new EngineOptions { Threads = options.Threads }, TimeProvider.System, NullLogger.Instance);
        var load = new ModelLoadOptions(options.Dtype, Fingerprints: new FingerprintCache(Path.Combine(options.Folder, "fingerprints")));
        var model = await engine.LoadAsync(checkpoint, "bench", load, cancellationToken);
        if (model.Config.Window < InferenceWork.LongestTokens)
        {
            throw new InferenceException("InvalidArgument", $"The model's window is {model.Config.Window} tokens, the rows need {InferenceWork.LongestTokens}.", "Give a model of a longer window.");
        }

        using var rates = await MachineRates.CreateAsync(engine, options.Dtype);
        using var inference = await InferenceWork.CreateAsync(model, cancellationToken);
        using var storage = new StorageWork(options.Folder, model, inference);
        List<double> gemm = [];
        List<double> read = [];
        var prefills = PrefillTokens.Select(tokens => new BenchRow($"prefill, {tokens} tokens", "operations / GEMM rate")).ToArray();
        var decodes = DecodeCases.Select(work => new BenchRow(work.Name, "bytes / read rate")).ToArray();
        var megabytes = storage.StoredBytes / 1_000_000.0;
        var restore = new BenchRow(FormattableString.Invariant($"restore, 2048 tokens, {megabytes:F0} MB"), "plain read of the same files");
        var write = new BenchRow(FormattableString.Invariant($"write, 2048 tokens, {megabytes:F0} MB"), "plain write and fsync");
        IReadOnlyList<KvPage>[][] contexts = [];
        for (var round = 0; round <= options.Rounds; round++)
        {
            var timed = round > 0; // the first only warms up
            var (gemmRate, readRate) = (await rates.GemmAsync(), await rates.ReadAsync());
            Keep(() =>
            {
                gemm.Add(gemmRate);
                read.Add(readRate);
            });
            for (var index = 0; index < prefills.Length; index++)
            {
                var seconds = await inference.PrefillAsync(PrefillTokens[index], cancellationToken);
                Keep(() => prefills[index].Add(seconds, WorkFloor.PrefillFlops(model.Config, PrefillTokens[index]) / gemmRate));
            }

            if (contexts.Length == 0)
            {
                contexts = await ContextsAsync(inference, cancellationToken);
            }

            for (var index = 0; index < decodes.Length; index++)
            {
                var seconds = await inference.DecodeAsync(contexts[index], cancellationToken);
                Keep(() => decodes[index].Add(seconds, DecodeCases[index].Bytes(model) / readRate));
            }

            // Whoever reads or writes second finds warmer caches: they take turns.
            var plainFirst = round % 2 == 1;
            var before = plainFirst ? await storage.WritePlainAsync() : 0;
            var wrote = await storage.WriteAsync(cancellationToken);
            var wrotePlain = plainFirst ? before : await storage.WritePlainAsync();
            storage.ForgetPlain();
            before = plainFirst ? await storage.ReadPlainAsync() : 0;
            var restored = await storage.RestoreAsync(cancellationToken);
            var readPlain = plainFirst ? before : await storage.ReadPlainAsync();
            Keep(() =>
            {
                write.Add(wrote, wrotePlain);
                restore.Add(restored, readPlain);
            });

            void Keep(Action add)
            {
                if (timed)
                {
                    add();
                }
            }
        }

        return new BenchReport
        {
            Started = started,
            Model = options.ModelFolder ?? $"random {Shape}",
            Dtype = options.Dtype.Name(),
            Folder = options.Folder,
            Threads = options.Threads,
            LoadBefore = loadBefore,
            LoadAfter = BenchReport.Load(),
            GemmFlopsPerSecond = gemm,
            ReadBytesPerSecond = read,
            Rows = [.. prefills, .. decodes, restore, write],
        };
    }

    private static async Task<IReadOnlyList<KvPage>[][]> ContextsAsync(InferenceWork inference, CancellationToken cancellationToken)
    {
        var longest = await inference.CreateContextAsync(DecodeCases.Max(static work => work.Tokens), cancellationToken);
        var contexts = new List<IReadOnlyList<KvPage>[]>();
        foreach (var work in DecodeCases)
        {
            var context = work.Tokens == longest[^1].Start + longest[^1].Count ? longest : await inference.CreateContextAsync(work.Tokens, cancellationToken);
            contexts.Add([.. Enumerable.Range(0, work.Asks).Select(ask => ask == 0 || work.Shared ? context : inference.Copy(context))]);
        }

        return [.. contexts];
    }

    private static string MakeCheckpoint(string folder, CancellationToken cancellationToken)
    {
        var path = Path.Combine(folder, $"{Shape}-seed-{Seed}");
        if (!File.Exists(Path.Combine(path, "config.json")) && PythiaShapes.TryGet(Shape, out var config))
        {
            if (Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true); // config.json is written last: an earlier run was stopped midway
            }

            RandomCheckpoint.Create(config, Seed, path, cancellationToken: cancellationToken);
        }

        return path;
    }
}
