using System.Text.Json;

namespace Granary.Cluster.Tests.Crashes;

/// <summary>One stored context as it lies in a folder store: the bytes of its manifest, and when its files were last written.</summary>
internal sealed record StoredContext(string Name, string Manifest, IReadOnlyDictionary<string, DateTime> Written)
{
    /// <summary>Reads all contexts that a manifest calls stored.</summary>
    public static IReadOnlyDictionary<string, StoredContext> ReadAll(string store)
    {
        var folder = Path.Combine(store, "contexts");
        return Directory.Exists(folder)
            ? Directory.EnumerateFiles(folder, "*.json", SearchOption.AllDirectories)
                .Select(path => TryRead(store, path)).OfType<StoredContext>().ToDictionary(static context => context.Name)
            : new Dictionary<string, StoredContext>();
    }

    private static StoredContext? TryRead(string store, string path)
    {
        var text = File.ReadAllText(path);
        using var manifest = JsonDocument.Parse(text);
        if (manifest.RootElement.GetProperty("state").GetString() != "stored")
        {
            return null;
        }

        var chunks = manifest.RootElement.GetProperty("chunks").EnumerateObject().SelectMany(static numerics => numerics.Value.EnumerateArray())
            .Select(chunk => FindChunk(store, chunk.GetProperty("hash").GetString()!));
        return new StoredContext(
            manifest.RootElement.GetProperty("name").GetString()!, text, chunks.Append(path).ToDictionary(static file => file, File.GetLastWriteTimeUtc));
    }

    private static string FindChunk(string store, string hash) =>
        Assert.Single(Directory.EnumerateFiles(Path.Combine(store, "chunks"), $"{hash}.safetensors", SearchOption.AllDirectories));
}
