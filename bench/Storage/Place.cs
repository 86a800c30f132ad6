using Granary.Storage.Objects;

namespace Granary.Bench.Storage;

/// <summary>Somewhere that bytes are saved to and loaded from, and what does so there. In each round everyone saves, then everyone loads.</summary>
/// <param name="name">What the report calls it.</param>
internal sealed class Place(string name)
{
    private readonly List<Worker> _workers = [];

    public string Name => name;

    /// <summary>Gets the seconds of each round by work and worker.</summary>
    public Dictionary<(string Work, string Worker), List<double>> Seconds { get; } = [];

    /// <summary>Makes a folder's: ours, plain files and, where it is there, llama.cpp.</summary>
    /// <param name="name">What the report calls it.</param>
    /// <param name="folder">The folder; made, and taken away by whoever made its parent.</param>
    /// <param name="isDisk">Whether fsync means something there: then plain files are synced as ours are.</param>
    /// <param name="pages">What is saved.</param>
    /// <param name="slot">llama.cpp.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    public static Place OfFolder(string name, string folder, bool isDisk, SamplePages pages, SlotProcess? slot, CancellationToken cancellationToken)
    {
        var place = new Place(name);
        var ours = new ChunkWork(new FolderObjectStore(folder, TimeProvider.System), pages);
        place._workers.Add(new(Workers.Ours, () => ours.SaveAsync(cancellationToken), () => ours.LoadAsync(cancellationToken), () => ours.ForgetAsync(cancellationToken)));
        var plain = new PlainFiles(folder, pages, isDisk);
        place._workers.Add(new(Workers.Plain, plain.WriteAsync, plain.ReadAsync, () => Run(plain.Forget)));
        place._workers.Add(new(Workers.Copy, () => PlainFiles.CopyAsync(pages)));
        if (slot is not null)
        {
            var file = Path.Combine(folder, "slot.bin");
            place._workers.Add(new(Workers.Peer, SaveSlotAsync, () => slot.LoadAsync(file, cancellationToken), () => Run(() => File.Delete(file))));

            async Task<double> SaveSlotAsync()
            {
                var seconds = await slot.SaveAsync(file, cancellationToken);
                using var saved = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite);
                RandomAccess.FlushToDisk(saved); // untimed: the next one's fsync would write this file too
                return seconds;
            }
        }

        return place;
    }

    /// <summary>Makes a store's, where there are no plain files: ours, and a copy in memory.</summary>
    public static Place OfStore(string name, IObjectStore store, SamplePages pages, CancellationToken cancellationToken)
    {
        var place = new Place(name);
        var ours = new ChunkWork(store, pages);
        place._workers.Add(new(Workers.Ours, () => ours.SaveAsync(cancellationToken), () => ours.LoadAsync(cancellationToken), () => ours.ForgetAsync(cancellationToken)));
        place._workers.Add(new(Workers.Copy, () => PlainFiles.CopyAsync(pages)));
        return place;
    }

    /// <summary>Lets everyone save and load once; who comes later finds warmer caches, so they take turns.</summary>
    /// <param name="round">The round; 0 is not timed.</param>
    public async Task RunAsync(int round)
    {
        var first = round % _workers.Count;
        Worker[] order = [.. _workers[first..], .. _workers[..first]];
        foreach (var worker in order)
        {
            Add("save", worker.Name, round, await worker.SaveAsync());
        }

        foreach (var worker in order.Where(static worker => worker.LoadAsync is not null))
        {
            Add("load", worker.Name, round, await worker.LoadAsync!());
        }

        foreach (var worker in order.Where(static worker => worker.ForgetAsync is not null))
        {
            await worker.ForgetAsync!();
        }
    }

    private static Task Run(Action act)
    {
        act();
        return Task.CompletedTask;
    }

    private void Add(string work, string worker, int round, double seconds)
    {
        if (round == 0)
        {
            Seconds[(work, worker)] = [];
        }
        else
        {
            Seconds[(work, worker)].Add(seconds);
        }
    }

    private sealed record Worker(string Name, Func<Task<double>> SaveAsync, Func<Task<double>>? LoadAsync = null, Func<Task>? ForgetAsync = null);
}

/// <summary>Who saves and loads.</summary>
internal static class Workers
{
    public const string Ours = "granary";
    public const string Plain = "plain files";
    public const string Copy = "copy in memory";
    public const string Peer = "llama.cpp";
}
