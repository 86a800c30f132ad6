using Granary.Inference.Benchmarks;
using Granary.Inference.Pages;

namespace Granary.Bench.Storage;

/// <summary>The run: every round measures every row once, so that a disturbed moment touches all alike.</summary>
internal static class Benchmark
{
    public static async Task<BenchReport> RunAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        var (started, loadBefore) = (TimeProvider.System.GetUtcNow(), MachineFacts.Load());
        using var storage = new StorageWork(options.Folder, options.Layout);
        var megabytes = storage.StoredBytes / 1_000_000.0;
        var restore = new BenchRow(FormattableString.Invariant($"restore, {StorageWork.Tokens} tokens, {megabytes:F0} MB"), "plain read of the same files");
        var write = new BenchRow(FormattableString.Invariant($"write, {StorageWork.Tokens} tokens, {megabytes:F0} MB"), "plain write and fsync");
        for (var round = 0; round <= options.Rounds; round++)
        {
            // Whoever reads or writes second finds warmer caches: they take turns.
            var plainFirst = round % 2 == 1;
            var before = plainFirst ? await storage.WritePlainAsync() : 0;
            var wrote = await storage.WriteAsync(cancellationToken);
            var wrotePlain = plainFirst ? before : await storage.WritePlainAsync();
            storage.ForgetPlain();
            before = plainFirst ? await storage.ReadPlainAsync() : 0;
            var restored = await storage.RestoreAsync(cancellationToken);
            var readPlain = plainFirst ? before : await storage.ReadPlainAsync();
            if (round > 0)
            {
                write.Add(wrote, wrotePlain); // the first round only warms up
                restore.Add(restored, readPlain);
            }
        }

        return new BenchReport
        {
            Started = started,
            LoadBefore = loadBefore,
            LoadAfter = MachineFacts.Load(),
            Shape = options.Shape,
            Dtype = options.Layout.Dtype.Name(),
            Folder = options.Folder,
            Rows = [restore, write],
        };
    }
}
