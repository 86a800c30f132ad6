using System.Diagnostics.CodeAnalysis;
using Granary.Inference.Errors;
using Granary.Inference.Safetensors;

namespace Granary.Inference.Checkpoints;

/// <summary>A Hugging Face checkpoint folder, mapped: its configuration and its weights, checked against each other.</summary>
/// <remarks>Weights are <c>model.safetensors</c>, or the shards that <c>model.safetensors.index.json</c> names. Every tensor that the model needs is there, in the right shape and a floating-point dtype.</remarks>
public sealed class Checkpoint : IDisposable
{
    private readonly CheckpointFiles _files;

    private Checkpoint(string folder, ModelConfig config, FileIdentity configIdentity, CheckpointFiles files)
    {
        Folder = folder;
        Config = config;
        ConfigIdentity = configIdentity;
        _files = files;
        TensorNames = [.. GptNeoXTensors.Shapes(config).Select(tensor => tensor.Name)];
    }

    /// <summary>Gets the folder's full path.</summary>
    public string Folder { get; }

    /// <summary>Gets the configuration.</summary>
    public ModelConfig Config { get; }

    /// <summary>Gets the names of the tensors that the model needs; the files may hold more.</summary>
    public IReadOnlyList<string> TensorNames { get; }

    /// <summary>Gets the bytes of the tensors that the model needs, as stored.</summary>
    public long WeightBytes => TensorNames.Sum(name => Get(name).Bytes);

    /// <summary>Gets the number of weights of the model.</summary>
    public long Parameters => TensorNames.Sum(name => Get(name).Elements);

    internal FileIdentity ConfigIdentity { get; }

    internal IReadOnlyList<SafetensorsFile> WeightFiles => _files.Files;

    /// <summary>Opens a folder and checks everything but the weights' values.</summary>
    /// <param name="folder">The folder.</param>
    /// <returns>The checkpoint; the caller disposes it, after the last use of its tensors.</returns>
    /// <exception cref="InferenceException"><c>ModelNotFound</c>: there is no such folder. <c>CheckpointInvalid</c>: a file is missing, damaged or of an unsupported kind; every fault of the configuration, and every tensor that is missing or misshapen, is in one message.</exception>
    public static Checkpoint Open(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var path = Path.GetFullPath(folder);
        if (!Directory.Exists(path))
        {
            throw new InferenceException(ErrorCode.ModelNotFound, $"There is no checkpoint folder '{path}'.", "Give the path of a folder with config.json and model.safetensors.");
        }

        var (config, identity) = ConfigFile.Read(path);
        var files = CheckpointFiles.Open(path);
        try
        {
            GptNeoXTensors.Check(path, config, files);
            return new Checkpoint(path, config, identity, files);
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <summary>Gets a tensor.</summary>
    /// <param name="name">Its name, as in the checkpoint.</param>
    /// <returns>The tensor, valid until the checkpoint is disposed.</returns>
    /// <exception cref="InferenceException"><c>CheckpointInvalid</c>: no file holds it.</exception>
    public SafetensorsTensor Get(string name) => TryGet(name, out var tensor)
        ? tensor
        : throw new InferenceException(ErrorCode.CheckpointInvalid, $"'{Folder}' has no tensor '{name}'.", "Ask for one of the model's tensors.");

    /// <summary>Gets a tensor that need not be there.</summary>
    /// <param name="name">Its name, as in the checkpoint.</param>
    /// <param name="tensor">The tensor, valid until the checkpoint is disposed.</param>
    /// <returns><see langword="false"/> if no file holds it.</returns>
    public bool TryGet(string name, [MaybeNullWhen(false)] out SafetensorsTensor tensor) => _files.TryGet(name, out tensor);

    /// <summary>Unmaps the weights. Tensors must not be read any more.</summary>
    public void Dispose() => _files.Dispose();
}
