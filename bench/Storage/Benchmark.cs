using System.ComponentModel;
using Granary.Bench.Common;
using Granary.Inference.Benchmarks;
using Granary.Inference.Pages;
using Granary.Storage.Objects;
using Granary.Testing.Servers;

namespace Granary.Bench.Storage;

/// <summary>The run: every round measures everything once, so that a disturbed moment touches all alike.</summary>
internal sealed class Benchmark(BenchOptions options, CancellationToken cancellationToken)
{
    private const string MemoryFolder = "/dev/shm";
    private const string WeightType = "bf16"; // its KV has the shape and dtype that is asked for, whatever the weights' is

    private string Tokenizer => RandomCheckpoints.TokenizerOf(options.Shared);

    /// <summary>Runs it.</summary>
    /// <exception cref="BenchException">A process failed, or something is missing.</exception>
    public async Task<BenchReport> RunAsync()
    {
        var (started, loadBefore) = (TimeProvider.System.GetUtcNow(), MachineFacts.Load());
        var peer = options.WithPeer ? await LlamaCpp.FindAsync(options.Shared, options.Folder, cancellationToken) : null;
        var model = peer is null ? null : await peer.ConvertAsync(await RandomCheckpoints.GetAsync(options.Folder, options.Shape, Tokenizer, cancellationToken), WeightType, Tokenizer, cancellationToken);
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
        await using var azurite = await StartAzuriteAsync(Path.Combine(disk.Path, "azurite"));
        List<Place> places = [Place.OfFolder("folder", Path.Combine(disk.Path, "chunks"), isDisk: !IsMemory(options.Folder), pages, slot, cancellationToken)];
        if (memory is not null)
        {
            places.Add(Place.OfFolder("memory", memory.Path, isDisk: false, pages, slot, cancellationToken));
        }

        if (azurite is not null)
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

    private async Task<AzuriteProcess?> StartAzuriteAsync(string folder)
    {
        if (!File.Exists(options.Azurite))
        {
            await Console.Error.WriteLineAsync($"There is no Azurite at {options.Azurite} (build/fetch-parts brings it): its rows are left out.");
            return null;
        }

        try
        {
            return await AzuriteProcess.StartAsync(options.Azurite, folder, cancellationToken: cancellationToken);
        }
        catch (Exception e) when (e is InvalidOperationException or TimeoutException or Win32Exception)
        {
            throw new BenchException($"Azurite at {options.Azurite} cannot be started: {e.Message}", e);
        }
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
