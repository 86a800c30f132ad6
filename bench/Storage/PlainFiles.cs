using Granary.Inference.Benchmarks;

namespace Granary.Bench.Storage;

/// <summary>The floor: as many bytes in as many files, one after another, with neither checks nor names nor versions.</summary>
/// <param name="folder">Where they lie; it is there.</param>
/// <param name="pages">Their bytes.</param>
/// <param name="sync">Whether each file is synced.</param>
internal sealed class PlainFiles(string folder, SamplePages pages, bool sync)
{
    /// <summary>Writes new files.</summary>
    public Task<double> WriteAsync() => OnPool(() =>
    {
        for (var index = 0; index < pages.Plain.Length; index++)
        {
            using var file = File.OpenHandle(
                PathOf(index), FileMode.CreateNew, FileAccess.Write, FileShare.None, FileOptions.None, preallocationSize: pages.Plain[index].Length);
            RandomAccess.Write(file, pages.Plain[index], 0);
            if (sync)
            {
                RandomAccess.FlushToDisk(file);
            }
        }
    });

    /// <summary>Reads the files into memory that exists.</summary>
    public Task<double> ReadAsync() => OnPool(() =>
    {
        for (var index = 0; index < pages.Plain.Length; index++)
        {
            using var file = File.OpenHandle(PathOf(index));
            var buffer = pages.Plain[index].AsSpan();
            while (buffer.Length > 0)
            {
                var read = RandomAccess.Read(file, buffer, pages.Plain[index].Length - buffer.Length);
                buffer = read > 0 ? buffer[read..] : throw new InvalidOperationException($"The file {PathOf(index)} is shorter than it was written.");
            }
        }
    });

    /// <summary>Takes the files away: the next write makes new ones.</summary>
    public void Forget()
    {
        for (var index = 0; index < pages.Plain.Length; index++)
        {
            File.Delete(PathOf(index));
        }
    }

    /// <summary>Copies the pages' KV in memory: what any save moves at the least.</summary>
    public static Task<double> CopyAsync(SamplePages pages) => OnPool(() =>
    {
        for (var index = 0; index < pages.Kv.Length; index++)
        {
            pages.Kv[index].CopyTo(pages.Plain[index], 0);
        }
    });

    private static Task<double> OnPool(Action act) => Clock.TimeAsync(() => Task.Run(act));

    private string PathOf(int index) => Path.Combine(folder, $"plain-{index}");
}
