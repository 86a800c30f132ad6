using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Granary.Inference.Errors;
using Granary.Inference.Safetensors;

namespace Granary.Inference.Checkpoints;

/// <summary>The weight files of a checkpoint folder, mapped: one, or the shards of an index.</summary>
internal sealed class CheckpointFiles : IDisposable
{
    public const string SingleFile = "model.safetensors";
    public const string IndexFile = "model.safetensors.index.json";

    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, SafetensorsTensor> _tensors = new(StringComparer.Ordinal);

    public IReadOnlyList<SafetensorsFile> Files => _files;

    public static CheckpointFiles Open(string folder)
    {
        var files = new CheckpointFiles();
        try
        {
            if (File.Exists(Path.Combine(folder, SingleFile)))
            {
                files.Add(Path.Combine(folder, SingleFile));
            }
            else if (File.Exists(Path.Combine(folder, IndexFile)))
            {
                files.AddShards(folder);
            }
            else
            {
                throw NoWeights(folder);
            }

            return files;
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    public bool TryGet(string name, [MaybeNullWhen(false)] out SafetensorsTensor tensor) => _tensors.TryGetValue(name, out tensor);

    public void Dispose() => _files.ForEach(file => file.Dispose());

    private static InferenceException NoWeights(string folder)
    {
        var pickled = Directory.EnumerateFiles(folder, "*.bin").Concat(Directory.EnumerateFiles(folder, "*.pt")).Select(Path.GetFileName).Order(StringComparer.Ordinal).FirstOrDefault();
        return pickled is null
            ? new(ErrorCode.CheckpointInvalid, $"'{folder}' has neither {SingleFile} nor {IndexFile}.", "Download the checkpoint's safetensors files.")
            : new(ErrorCode.CheckpointInvalid, $"'{folder}' has its weights only as '{pickled}', a Python pickle, which can run code when it is read.", "Convert it: load it with transformers and call save_pretrained(folder, safe_serialization=True).");
    }

    private SafetensorsFile Add(string path)
    {
        var file = SafetensorsFile.Open(path);
        _files.Add(file);
        foreach (var (name, tensor) in file.Tensors)
        {
            if (!_tensors.TryAdd(name, tensor))
            {
                throw new InferenceException(ErrorCode.CheckpointInvalid, $"'{path}' holds the tensor '{name}', which another shard holds too.", "Download the checkpoint again.");
            }
        }

        return file;
    }

    private void AddShards(string folder)
    {
        var index = Path.Combine(folder, IndexFile);
        var map = ReadIndex(index);
        foreach (var shard in map.Values.Distinct().Order(StringComparer.Ordinal))
        {
            // A shard is a plain file name: an index must not make us read outside of the folder.
            if (shard.Length == 0 || shard is "." or ".." || shard.AsSpan().ContainsAny('/', '\\', '\0'))
            {
                throw Invalid(index, $"it names the shard '{shard}', which is not a file in the folder");
            }

            if (!File.Exists(Path.Combine(folder, shard)))
            {
                throw Invalid(index, $"it names the shard '{shard}', which is missing");
            }

            Add(Path.Combine(folder, shard));
        }

        foreach (var (name, shard) in map)
        {
            if (!_files.Any(file => Path.GetFileName(file.Path) == shard && file.Tensors.ContainsKey(name)))
            {
                throw Invalid(index, $"it says that '{shard}' holds the tensor '{name}', and it does not");
            }
        }
    }

    private static Dictionary<string, string> ReadIndex(string index)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(index));
            if (document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("weight_map", out var map) && map.ValueKind == JsonValueKind.Object
                && map.EnumerateObject().All(entry => entry.Value.ValueKind == JsonValueKind.String))
            {
                return map.EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetString() ?? "");
            }

            throw Invalid(index, "it has no weight_map from tensor names to file names");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or IOException or UnauthorizedAccessException or ArgumentException) // InvalidOperation: strings that are not Unicode; Argument: a name twice
        {
            throw Invalid(index, e.Message, e);
        }
    }

    private static InferenceException Invalid(string index, string fault, Exception? cause = null) =>
        new(ErrorCode.CheckpointInvalid, $"'{index}' is not a usable index: {fault}.", "Download the checkpoint's files again.", cause);
}
