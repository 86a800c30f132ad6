using Granary.Bench.Peers;
using Granary.Inference.Benchmarks;
using Granary.Inference.Pages;
using Granary.Inference.Shapes;
using Granary.Storage.Objects;

namespace Granary.Bench.Storage;

/// <summary>The run: every round measures everything once, so that a disturbed moment touches all alike.</summary>
internal sealed class Benchmark(BenchOptions options, CancellationToken cancellationToken)
{
    private const string MemoryFolder = "/dev/shm";
    private const string WeightType = "bf16"; // its KV has the shape and dtype that is asked for, whatever the weights' is
    private const int Window = 4096;

    private string Tokenizer => Path.Combine(options.Shared, "data", "tokenizer", "20B_tokenizer.json");

    /// <summary>Runs it.</summary>
    /// <exception cref="BenchException">A process failed, or something is missing.</exception>
    public async Task<BenchReport> RunAsync()
    {
        var (started, loadBefore) = (TimeProvider.System.GetUtcNow(), MachineFacts.Load());
        var peer = options.WithPeer ? await LlamaCpp.FindAsync(options.Shared, options.Folder, cancellationToken) : null;
        var model = peer is null ? null : await peer.ConvertAsync(MakeCheckpoint(), WeightType, Tokenizer, cancellationToken);
        var tables = new List<BenchTable>();
        foreach (var dtype in options.Dtypes)
        {
            await using var slot = model is null ? null : await SlotProcess.StartAsync(peer!.Modules, model, dtype == KvDtype.Float32 ? "f32" : "f16", cancellationToken);
            tables.Add(await MeasureAsync(dtype, slot));
        }

        return new BenchReport
        {
            Started = started,
            LoadBefore = loadBefore,
            LoadAfter = MachineFacts.Load(),
            Shape = options.Shape,
            Folder = options.Folder,
            Rounds = options.Rounds,
            Tables = tables,
        };
    }

    private async Task<BenchTable> MeasureAsync(KvDtype dtype, SlotProcess? slot)
    {
        var pages = new SamplePages(KvLayout.Of(options.Config, dtype));
        using var disk = new ScratchFolder(options.Folder);
        using var memory = IsMemory(MemoryFolder) ? new ScratchFolder(MemoryFolder) : null;
        await using var azurite = File.Exists(options.Azurite) ? await AzuriteProcess.StartAsync(options.Azurite, Path.Combine(disk.Path, "azurite"), cancellationToken) : null;
        List<Place> places = [Place.OfFolder("folder", Path.Combine(disk.Path, "chunks"), isDisk: !IsMemory(options.Folder), pages, slot, cancellationToken)];
        if (memory is not null)
        {
            places.Add(Place.OfFolder("memory", memory.Path, isDisk: false, pages, slot, cancellationToken));
        }

        if (azurite is null)
        {
            await Console.Error.WriteLineAsync($"There is no Azurite at {options.Azurite} (build/fetch-parts brings it): its rows are left out.");
        }
        else
        {
            places.Add(Place.OfStore("Azurite", ObjectStores.Open(azurite.ConnectionString, TimeProvider.System), pages, cancellationToken));
        }

        for (var round = 0; round <= options.Rounds; round++)
        {
            foreach (var place in places)
            {
                await place.RunAsync(round);
            }
        }

        return new BenchTable(dtype.Name(), pages.StoredBytes, [.. places.SelectMany(place => Targets.Compare(place, pages.StoredBytes, dtype))]);
    }

    // As `./dev bench plan` and `./dev bench engine` name it.
    private string MakeCheckpoint()
    {
        var folder = Path.Combine(options.Folder, $"{options.Shape}-seed-1-window-{Window}");
        if (!Directory.Exists(folder))
        {
            Console.Error.WriteLine($"making {folder}");
            RandomCheckpoint.Create(options.Config with { Window = Window }, 1, folder, cancellationToken: cancellationToken);
        }

        return folder;
    }

    private static bool IsMemory(string folder) => Directory.Exists(folder) && new DriveInfo(folder).DriveFormat is "tmpfs" or "ramfs";

    private sealed class ScratchFolder : IDisposable
    {
        public ScratchFolder(string parent)
        {
            Path = System.IO.Path.Combine(parent, $"granary-store-{Guid.NewGuid():N}");
            Directory.CreateDirectory(Path);
        }

        public string Path { get; }

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
